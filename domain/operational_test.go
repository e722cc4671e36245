package domain

import "testing"

func TestOperationalEvent(t *testing.T) {
	t.Parallel()
	endpoint, delivery := NewUUID(), NewUUID()
	tests := map[EventType]struct {
		notice Notice
		want   string
	}{
		EventDeliveryDead: {Notice{
			Endpoint: endpoint, Delivery: delivery, EventID: "order-1", Source: "/shop", EventType: "order.placed", Attempts: 10,
			Reason: DeadExhausted, Error: "timeout", StatusCode: 0,
		}, `{"endpoint_id":"` + endpoint.String() + `","delivery_id":"` + delivery.String() +
			`","event_id":"order-1","event_source":"/shop","event_type":"order.placed","attempts":10,"reason":"schedule_ended","error":"timeout"}`},
		EventEndpointDisabled: {Notice{
			Endpoint: endpoint, Reason: DisabledGone, StatusCode: 410,
		}, `{"endpoint_id":"` + endpoint.String() + `","reason":"gone","status_code":410}`},
		EventEndpointPaused:  {Notice{Endpoint: endpoint}, `{"endpoint_id":"` + endpoint.String() + `"}`},
		EventEndpointResumed: {Notice{Endpoint: endpoint}, `{"endpoint_id":"` + endpoint.String() + `"}`},
		EventEndpointDeleted: {Notice{Endpoint: endpoint}, `{"endpoint_id":"` + endpoint.String() + `"}`},
	}
	for typ, test := range tests {
		draft := OperationalEvent("acme", typ, test.notice)
		fact := draft.Fact.(*EventAppended)
		if got := string(fact.Data); got != test.want {
			t.Errorf("%s says\n%s, want\n%s", typ, got, test.want)
		}
		a := fact.Event
		if a.Type != typ || a.Source != OperationalSource || a.SchemaVersion != OperationalSchema || a.About != endpoint || a.Subject != "" {
			t.Errorf("%s has the attributes %+v", typ, a)
		}
		if a.ID != draft.Stream.ID.String() || draft.Stream.Kind != StreamEvent || draft.Expected != 0 || draft.Tenant != "acme" {
			t.Errorf("%s is appended as %+v", typ, draft)
		}
		if !typ.Operational() || Pattern("*").Matches(typ) || !Pattern("hooktrail.*").Matches(typ) || typ.Validate("type") == nil {
			t.Errorf("%s isn't chosen as the types of the product are", typ)
		}
	}
}
