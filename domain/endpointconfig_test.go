package domain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Whatever a fact says of an endpoint, it holds the whole configuration.
func TestEndpointConfigOf(t *testing.T) {
	t.Parallel()
	for kind, form := range forms {
		if (EndpointConfigOf(form.empty()) != nil) != strings.HasPrefix(string(kind), "endpoint.") {
			t.Errorf("%s: the configuration isn't found, or found where there is none", kind)
		}
	}
}

func TestEndpointConfig_Secrets(t *testing.T) {
	t.Parallel()
	ids := make([]UUID, 6)
	for i := range ids {
		ids[i][0] = byte(i + 1)
	}
	now := time.Now()
	config := EndpointConfig{
		Keys:    []SigningKey{{ID: ids[0]}, {ID: ids[1], Until: now.Add(time.Second)}, {ID: ids[2], Until: now}},
		Query:   &SecretQuery{Secret: ids[3]},
		Auth:    &EndpointAuth{Secret: ids[4]},
		Headers: []SecretHeader{{Secret: ids[5]}},
	}
	others := []NamedSecret{{ids[3], PurposeQuery}, {ids[4], PurposeAuth}, {ids[5], PurposeHeader}}
	keys := []NamedSecret{{ids[0], PurposeSigningKey}, {ids[1], PurposeSigningKey}, {ids[2], PurposeSigningKey}}
	if diff := cmp.Diff(append(keys[:2:2], others...), config.Secrets(now)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(append(keys, others...), config.Secrets(time.Time{})); diff != "" {
		t.Error(diff)
	}
}
