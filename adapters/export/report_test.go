package export_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// tableOf reads the cells of a report's table, a line each, by its id.
func tableOf(t testing.TB, page, id string) (lines []string) {
	t.Helper()
	_, rest, found := strings.Cut(page, `<table id="`+id+`">`)
	body, _, ended := strings.Cut(rest, "</table>")
	if !found || !ended {
		t.Fatalf("the report has no table %s", id)
	}
	cell := regexp.MustCompile(`<t[dh](?: [^>]*)?>(?:<code>)?([^<]*)`)
	for row := range strings.SplitSeq(body, "<tr>") {
		var cells []string
		for _, m := range cell.FindAllStringSubmatch(row, -1) {
			cells = append(cells, m[1])
		}
		if len(cells) > 0 {
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
	return lines
}

// compareReport holds a report's numbers to the rows of the same query.
func compareReport(t testing.TB, page string, rows []record) {
	t.Helper()
	if strings.Contains(page, "<script") || strings.Contains(page, "ZgotmplZ") {
		t.Fatal("the report isn't plain")
	}
	deliveries := make(map[string]bool)
	statuses, failures, days := make(map[string]int), make(map[string]int), make(map[string][6]int)
	attempts, dead := 0, 0
	for _, r := range rows {
		day := days[r["endpoint_id"]+"|"+r["created_at"][:10]]
		if id := r["delivery_id"]; !deliveries[id] {
			deliveries[id] = true
			statuses[r["status"]]++
			day[0]++
			switch r["status"] {
			case "succeeded":
				day[1]++
			case "dead":
				day[2]++
				dead++
			}
		}
		if r["attempt_number"] != "" {
			attempts++
			day[3]++
		}
		switch r["attempt_outcome"] {
		case "failed":
			failures["HTTP "+r["attempt_status_code"]]++
			day[4]++
		case "unknown":
			failures["unknown"]++
			day[5]++
		}
		days[r["endpoint_id"]+"|"+r["created_at"][:10]] = day
	}
	want := []string{fmt.Sprint("Deliveries|", len(deliveries))}
	for _, s := range []string{"succeeded", "dead", "retrying", "pending", "cancelled"} {
		want = append(want, fmt.Sprint(s, "|", statuses[s]))
	}
	want = append(want, fmt.Sprint("Attempts|", attempts))
	if got := tableOf(t, page, "totals"); strings.Join(got[:7], "\n") != strings.Join(want, "\n") {
		t.Fatalf("totals are %q, want %q", got, want)
	}
	got := tableOf(t, page, "failures")[1:]
	if len(failures) > 0 && len(got) != len(failures) {
		t.Fatalf("failures are %q, want %v", got, failures)
	}
	for cause, n := range failures {
		if !strings.Contains(strings.Join(got, "\n")+"\n", fmt.Sprint(cause, "|", n, "\n")) {
			t.Fatalf("failures are %q, want %v", got, failures)
		}
	}
	byDay := tableOf(t, page, "days")[1:]
	if len(days) > 0 && len(byDay) != len(days) {
		t.Fatalf("days are %q, want %v", byDay, days)
	}
	for at, n := range days {
		line := fmt.Sprintf("%s|%d|%d|%d|%d|%d|%d", at, n[0], n[1], n[2], n[3], n[4], n[5])
		if !strings.Contains(strings.Join(byDay, "\n"), line) {
			t.Fatalf("days are %q, want %s", byDay, line)
		}
	}
	if letters := tableOf(t, page, "dead")[1:]; dead > 0 && len(letters) != dead {
		t.Fatalf("%d dead letters, want %d", len(letters), dead)
	}
}
