package eventlog_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// payload is 1 KiB of JSON as producers send it: repeated names, changing values.
func payload(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 940; i++ {
		fmt.Fprintf(&b, `,{"line":%d,"article":"A-%08x","quantity":%d,"amount":"%d.%02d","currency":"EUR"}`, i, n*2654435761%(1<<32), n%17, n%991, (n+i)%100)
	}
	return []byte(`{"order":"` + domain.NewUUID().String() + `","lines":[` + b.String()[1:] + `]}`)
}

func payloads() [][]byte {
	all := make([][]byte, 1000)
	for i := range all {
		all[i] = payload(i)
	}
	return all
}

// cpu is what this process has used, and the database's session that appends (0 where there is no /proc). Rates scatter
// on a shared machine; these don't.
func cpu(b *testing.B, log *opened) (here, there time.Duration) {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	here = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	const sql = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hooktrail append'`
	var pid int
	if err := connect(b, log.db.AdminURL).QueryRow(context.Background(), sql).Scan(&pid); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return here, 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')'):]))
	for _, field := range fields[12:14] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		there += time.Duration(n) * 10 * time.Millisecond
	}
	return here, there
}

// concurrently has callers append until each of the benchmark's iterations is done.
func concurrently(b *testing.B, log *opened, callers, entries int, appendOne func(i int) error) {
	b.Helper()
	here, there := cpu(b, log)
	var next atomic.Int64
	var work sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		work.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := appendOne(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	b.StopTimer()
	total := float64(b.N * entries)
	b.ReportMetric(total/b.Elapsed().Seconds(), "entries/s")
	hereAfter, thereAfter := cpu(b, log)
	b.ReportMetric(float64((hereAfter-here).Microseconds())/total, "go-µs/entry")
	b.ReportMetric(float64((thereAfter-there).Microseconds())/total, "pg-µs/entry")
}

func BenchmarkAppend(b *testing.B) {
	data := payloads()
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("single/callers=%d", callers), func(b *testing.B) {
			log := open(b)
			concurrently(b, log, callers, 1, func(i int) error {
				_, err := domain.AppendOne(context.Background(), log, group(eventOf(data[i%len(data)])))
				return err
			})
		})
	}
	b.Run("batch=100/callers=8", func(b *testing.B) {
		log := open(b)
		concurrently(b, log, 8, 100, func(i int) error {
			drafts := make([]domain.Draft, 100)
			for j := range drafts {
				drafts[j] = eventOf(data[(i*100+j)%len(data)])
			}
			_, err := domain.AppendOne(context.Background(), log, group(drafts...))
			return err
		})
	})
	b.Run("subjects/callers=64", func(b *testing.B) { // each event is about somebody else
		log := open(b)
		concurrently(b, log, 64, 1, func(i int) error {
			d := eventOf(data[i%len(data)])
			d.Subject = fmt.Sprintf("customer/%d", i)
			_, err := domain.AppendOne(context.Background(), log, group(d))
			return err
		})
	})
	b.Run("delivery/callers=512", func(b *testing.B) {
		log := open(b)
		before := databaseSize(b, log)
		concurrently(b, log, 512, 2, func(i int) error { return deliver(log, data[i%len(data)], "") })
		b.ReportMetric(float64(databaseSize(b, log)-before)/float64(b.N), "db-bytes/event")
	})
}

func databaseSize(b *testing.B, log *opened) (size int64) {
	b.Helper()
	conn := connect(b, log.db.AdminURL)
	if err := conn.QueryRow(b.Context(), `SELECT pg_database_size(current_database())`).Scan(&size); err != nil {
		b.Fatal(err)
	}
	return size
}

// deliver appends the two entries of an event that is delivered at the first try.
func deliver(log domain.Log, data []byte, subject string) error {
	event, delivery := eventOf(data), domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}
	event.Subject = subject
	fact := event.Fact.(*domain.EventAppended)
	fact.Routing = domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{{
		ID: delivery.ID, Endpoint: domain.NewUUID(), EndpointVersion: 1,
		Subscriptions: []domain.SubscriptionMatch{{ID: domain.NewUUID(), Version: 1}},
		First: &domain.AttemptStarted{
			Number: 1, EndpointVersion: 1, ProfileDigest: fmt.Sprintf("%064x", 1), Keys: []domain.UUID{domain.NewUUID()},
			At: time.Now().UTC(), TimeoutMS: 15000, Node: domain.NewUUID(),
		},
	}}}
	appended, err := domain.AppendOne(context.Background(), log, group(event))
	if err != nil {
		return err
	}
	finished := domain.Draft{
		Tenant: event.Tenant, Stream: delivery, Cause: appended[0].Sequence, SubjectKey: appended[0].SubjectKey,
		Fact: &domain.AttemptFinished{
			Result: domain.AttemptResult{
				AttemptEnd: domain.AttemptEnd{
					Number: 1, Outcome: domain.OutcomeSucceeded, StatusCode: 200, DurationUS: 812, FinishedAt: appended[0].RecordedAt,
					Status: domain.DeliverySucceeded, RemoteAddr: "127.0.0.1:8081", RequestBytes: len(data), AnswerBytes: 2,
				},
				Exchange: domain.Exchange{
					Request: domain.SentRequest{
						Method: "POST", URL: "http://127.0.0.1:8081/hook", BodySHA256: fmt.Sprintf("%064x", 2),
						Headers: []domain.Header{
							{Name: "Content-Type", Value: "application/json"},
							{Name: "Webhook-Id", Value: domain.NewUUID().String()},
							{Name: "Webhook-Timestamp", Value: "1762000000"},
							{Name: "Webhook-Signature", Value: "v1," + fmt.Sprintf("%044x", 3)},
						},
					},
					Response: domain.CapturedAnswer{
						BodySHA256: fmt.Sprintf("%064x", 4),
						Headers:    []domain.Header{{Name: "Content-Length", Value: "2"}, {Name: "Date", Value: "Sat, 01 Nov 2025 12:26:40 GMT"}},
					},
				},
			},
			Body: []byte("ok"),
		},
	}
	_, err = domain.AppendOne(context.Background(), log, group(finished))
	return err
}

func eventOf(data []byte) domain.Draft {
	d := event("")
	d.Fact.(*domain.EventAppended).Data = data
	return d
}
