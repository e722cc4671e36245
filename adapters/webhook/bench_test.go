package webhook

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// kibEvent is an event with 1 KiB of data that every embedded format can carry.
func kibEvent() *Event {
	e := sampleEvent()
	e.Data = []byte(
		`{"FolderName":"Pricing","ServiceName":"motor-quote","EntityId":"0f3c","AuditType":"ProductEngine","FileName":"motor quote.xlsx","ServiceVersionId":"7d1e","pad":"` + strings.Repeat(
			"0123456789abcdef",
			53,
		) + `"}`,
	)
	return e
}

// sampleTarget is an endpoint of a profile with whatever the profile asks for.
func sampleTarget(t testing.TB, p *Profile, url string) *Target {
	t.Helper()
	c := TargetConfig{Profile: p, EndpointID: "123e4567-e89b-12d3-a456-426614174001", URL: url}
	if p.Signs() {
		c.Keys = []*Key{mustKey(t, p, sampleKey(p))}
	}
	if p.AuthRequired() {
		c.Auth = Auth{Type: "api_key", In: "header", Value: "abcdef12345"}
	}
	return mustTarget(t, c)
}

// sampleKey is a fixed key in the way in which the profile writes them.
func sampleKey(p *Profile) string {
	if p.keyFormat == keyText {
		return "sk_sample_5f1d0c"
	}
	return "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
}

func BenchmarkBody(b *testing.B) {
	set, err := Embedded()
	if err != nil {
		b.Fatal(err)
	}
	e := kibEvent()
	for _, p := range set.All() {
		b.Run(p.Name, func(b *testing.B) {
			w := writer{
				target:  sampleTarget(b, p, "https://r.example/hook"),
				event:   e,
				attempt: Attempt{Number: 1, At: time.Unix(1700137999, 0)},
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.body(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	set, err := Embedded()
	if err != nil {
		b.Fatal(err)
	}
	e := kibEvent()
	for _, p := range set.All() {
		b.Run(p.Name, func(b *testing.B) {
			target := sampleTarget(b, p, "https://r.example/hook")
			at := time.Unix(1700137999, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := target.Build(e, Attempt{Number: 1, At: at}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	p := embeddedProfile(b, "standard-webhooks")
	body := kibEvent().Data
	before := []byte("01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e.1700137999.")
	for _, text := range []string{sampleKey(p), NewEd25519Key()} {
		key := mustKey(b, p, text)
		b.Run(string(key.algorithm), func(b *testing.B) {
			b.ReportAllocs()
			var room [64]byte
			for b.Loop() {
				key.sign(room[:0], before, body, nil)
			}
		})
	}
}

// loopback lets a sender reach receivers of the tests.
func loopback() *Guard {
	return NewGuard(allowing("127.0.0.0/8", "::1/128"))
}

func benchReceiver(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = new(bytes.Buffer).ReadFrom(r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(s.Close)
	return s.URL
}

func BenchmarkSend(b *testing.B) {
	target := sampleTarget(b, embeddedProfile(b, "standard-webhooks"), benchReceiver(b))
	sender := newSender(loopback(), nil, nil)
	e := kibEvent()
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := target.Build(e, Attempt{Number: 1, At: time.Now()})
			if err != nil {
				b.Error(err)
				return
			}
			if result := sender.Send(context.Background(), r, 15*time.Second); result.StatusCode != 204 {
				b.Error(result.Error)
				return
			}
		}
	})
}

// BenchmarkSend_plain is what net/http costs by itself, with the same receiver and body.
func BenchmarkSend_plain(b *testing.B) {
	url, body := benchReceiver(b), kibEvent().Data
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DialContext: (&net.Dialer{}).DialContext}}
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			answer, err := client.Post(url, "application/json", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_ = answer.Body.Close()
		}
	})
}
