package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkMainLine counts the functions that a running server enters for one event, its delivery and one look at that:
// the code to read for the main line. What runs while nothing happens is counted apart and left out of the rest.
//
//	go test ./cmd/hooktrail -run '^$' -bench MainLine -benchtime 1x
func BenchmarkMainLine(b *testing.B) {
	for range b.N {
		countMainLine(b)
	}
}

func countMainLine(b *testing.B) {
	counted := buildCounted(b)
	p := newProgram(b)
	var stdin io.Writer
	p.prepare = func(cmd *exec.Cmd) {
		var err error
		cmd.Path = counted
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+b.TempDir())
		if stdin, err = cmd.StdinPipe(); err != nil {
			b.Fatal(err)
		}
	}
	p.start()
	receiver := newReceiver(b, nil)
	endpoint, _ := p.endpointTo(receiver.server.URL, nil)
	settle := func() { <-time.After(1500 * time.Millisecond) } // every ticker has had its turn, and the views are folded
	const events, event = "/v1/tenants/default/events", `{"type":"offer.issued","subject":"member/42","data":{"price":19.90}}`
	post := func() { p.do("POST", events, json.RawMessage(event), nil) }
	change := func(to string) {
		p.do("POST", "/v1/tenants/default/endpoints/"+endpoint+"/"+to, nil, nil)
		settle()
	}
	post() // what is made once, such as keys and compiled filters, is there
	settle()
	since := func() map[string]bool { return p.entered(stdin) }

	since()
	settle()
	settle()
	idle := since()
	entered := func(do func()) map[string]bool {
		since()
		do()
		settle()
		found := since()
		maps.DeleteFunc(found, func(f string, _ bool) bool { return idle[f] })
		return found
	}
	change("pause")
	append := entered(post)
	change("resume")
	eventually(b, 10*time.Second, "the waiting delivery is sent", func() bool { return len(receiver.all()) == 2 })
	settle()
	delivered := entered(post)
	if n := len(receiver.all()); n != 3 {
		b.Fatalf("%d deliveries of 3 events", n)
	}
	delivery := p.deliveries()[0].ID
	look := entered(func() { p.do("GET", "/v1/tenants/default/deliveries/"+delivery, nil, nil) })

	all := maps.Clone(delivered)
	maps.Copy(all, look)
	maps.DeleteFunc(delivered, func(f string, _ bool) bool { return append[f] })
	report(b, "idle", idle)
	report(b, "post", append)
	report(b, "delivery", delivered)
	report(b, "get", look)
	report(b, "all", all)
}

// buildCounted builds the program so that it tells by its standard output what it has entered.
func buildCounted(b *testing.B) string {
	counted := filepath.Join(b.TempDir(), "counted")
	build := exec.CommandContext(b.Context(), "go", "build", "-tags", "counted", "-cover", "-covermode", "atomic",
		"-coverpkg", "github.com/hooktrail/hooktrail/...", "-o", counted, ".")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	return counted
}

// report prints functions by file, and gives their numbers as the benchmark's figures.
func report(b *testing.B, what string, functions map[string]bool) {
	files, packages := map[string][]string{}, map[string]int{}
	for f := range functions {
		file, name, _ := strings.Cut(f, " ")
		files[file] = append(files[file], name)
		packages[path.Dir(file)]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d functions in %d files of %d packages\n", what, len(functions), len(files), len(packages))
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		fmt.Fprintf(&text, "  %d %s\n", packages[name], name)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		slices.Sort(files[file])
		fmt.Fprintf(&text, "    %s: %s\n", file, strings.Join(files[file], " "))
	}
	fmt.Print(text.String()) // b.Log leaves out what is long
	b.ReportMetric(float64(len(functions)), what+"-functions")
	b.ReportMetric(float64(len(files)), what+"-files")
}

// entered is what was entered since it was asked for last, as file and name.
func (p *program) entered(stdin io.Writer) map[string]bool {
	p.t.Helper()
	dir := p.t.TempDir()
	if _, err := io.WriteString(stdin, dir+"\n"); err != nil {
		p.t.Fatal(err)
	}
	eventually(
		p.t,
		10*time.Second,
		"the counters are written",
		func() bool { return strings.Contains(p.output.String(), dir+"\n") },
	)
	out, err := exec.CommandContext(p.t.Context(), "go", "tool", "covdata", "func", "-i", dir).CombinedOutput()
	if err != nil {
		p.t.Fatalf("go tool covdata: %v\n%s", err, out)
	}
	functions := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		// FILE:LINE: NAME PERCENT%
		if f := strings.Fields(line); len(f) == 3 && f[0] != "total" && f[2] != "0.0%" {
			file, _, _ := strings.Cut(strings.TrimPrefix(f[0], "github.com/hooktrail/hooktrail/"), ":")
			functions[file+" "+f[1]] = true
		}
	}
	return functions
}
