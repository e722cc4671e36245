package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// marker is part of every endpoint's name: no secret, and therefore found wherever the search really looks.
const marker = "story of secrets: "

// checkMasked: the attempts at receivers that sent secrets back say so.
func (s *secretStory) checkMasked() {
	t := s.t
	for _, name := range []string{"standard", "given", "ed25519", "sparkfly", "coherent", "bad status line", "bad header line", "bad length"} {
		var rows struct{ Items []deliveryRow }
		s.do("GET", "/v1/tenants/default/deliveries?endpoint_id="+s.endpoints[name], nil, &rows)
		if len(rows.Items) < 2 {
			t.Errorf("%s has %d deliveries", name, len(rows.Items))
		}
		for _, d := range rows.Items {
			var page struct {
				Items []struct {
					Detail   string
					Response struct {
						Masked  bool
						Base64  bool
						Body    string
						Headers map[string][]string
					}
				}
			}
			s.do("GET", "/v1/tenants/default/deliveries/"+d.ID+"/attempts", nil, &page)
			for _, a := range page.Items {
				if plain, err := base64.StdEncoding.DecodeString(a.Response.Body); a.Response.Base64 && err == nil {
					a.Response.Body = string(plain)
				}
				marked := a.Response.Masked && strings.Contains(a.Response.Body, "[masked]") &&
					strings.Contains(fmt.Sprint(a.Response.Headers["x-echo-0"]), "[masked]")
				if strings.HasPrefix(name, "bad ") {
					marked = strings.Contains(a.Detail, "[masked]")
				}
				if !marked {
					t.Errorf("%s: nothing is marked as masked in %+v", name, a)
				}
			}
		}
	}
}

// works has every kind of long work done, so that its results are searched too. The redrive and the replay send nothing.
func (s *secretStory) works() {
	const tenant = "/v1/tenants/default/"
	nothing := map[string]any{"reason": "looking for secrets", "from_sequence": 0, "to_sequence": 1}
	for kind, body := range map[string]map[string]any{
		"exports": {"what": "deliveries", "format": "ndjson"}, "reconciliations": {}, "redrives": nothing, "replays": nothing,
	} {
		var made struct{ ID, Status string }
		s.do("POST", tenant+kind, body, &made)
		eventually(s.t, 30*time.Second, "one of the "+kind+" ends", func() bool {
			s.do("GET", tenant+kind+"/"+made.ID, nil, &made)
			return made.Status == "succeeded"
		})
	}
}

// walk asks every GET operation of the document, with every value that the lists give its parameters, and the
// configurations as of every moment.
func (s *secretStory) walk() {
	t := s.t
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	s.do("GET", "/openapi.json", nil, &document)
	asked := 0
	for template, operations := range document.Paths {
		if operations["get"] == nil {
			continue
		}
		paths := s.expand(template)
		if len(paths) == 0 {
			t.Errorf("nothing to ask for at %s: have the story make what it shows", template)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "/log/tail") {
				s.tail(path)
				continue
			}
			roles := []string{"operator", "auditor", "standard receiver"}
			if strings.Contains(path, "/log/") {
				roles = roles[:1] // the list shows all of them the same
			}
			for _, role := range roles {
				s.ask("GET "+path+" as "+role, "GET", path, "", "Authorization", "Bearer "+s.keys[role])
			}
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("only %d resources were asked for", asked)
	}
	const endpoints = "/v1/tenants/default/endpoints"
	for _, e := range s.logEntries("&kind=endpoint.*") {
		at := fmt.Sprintf("as_of_sequence=%d", e.Sequence)
		s.ask(at, "GET", endpoints+"?limit=1000&"+at, "")
		s.ask(at, "GET", "/v1/tenants/default/"+strings.Replace(e.Stream, "endpoint/", "endpoints/", 1)+"?"+at, "")
	}
}

// expand puts into a path what the lists before each parameter have for it.
func (s *secretStory) expand(template string) []string {
	paths := []string{""}
	for segment := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		name, isParameter := strings.CutPrefix(strings.TrimSuffix(segment, "}"), "{")
		var longer []string
		for _, path := range paths {
			switch {
			case !isParameter:
				longer = append(longer, path+"/"+segment)
			case name == "tenant":
				longer = append(longer, path+"/default")
				if strings.Contains(template, "/log") && !strings.Contains(template, "deliveries") {
					longer = append(longer, path+"/_instance")
				}
			default:
				for _, value := range s.values(path, name) {
					longer = append(longer, path+"/"+url.PathEscape(value))
				}
			}
		}
		paths = longer
	}
	return paths
}

// values are those of a parameter, from the list that stands before it.
func (s *secretStory) values(list, parameter string) (values []string) {
	list = strings.TrimSuffix(list, "/by-sequence")
	separator := "?limit=1000"
	if strings.HasSuffix(list, "/attempts") {
		separator = ""
	}
	status, answer := s.request("GET", list+separator, "")
	if status != 200 {
		return nil
	}
	var page struct{ Items []map[string]any }
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(&page); err != nil {
		s.t.Fatalf("GET %s: %v", list, err)
	}
	for _, item := range page.Items {
		for _, name := range []string{parameter, "id", "name"} {
			if item[name] != nil {
				values = append(values, fmt.Sprint(item[name]))
				break
			}
		}
	}
	return values
}

// tail reads the stream of a log from its beginning for as long as a whole log takes.
func (s *secretStory) tail(path string) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	resp, err := s.client().send(ctx, "GET", path+"?from_sequence=0", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // ends by the time that it was given
	if !bytes.Contains(text, []byte("tenant.created")) {
		s.t.Errorf("%s streams nothing", path)
	}
	s.answers["GET "+path] = text
}

// tables is the whole database, each row as its fields' own bytes, by table.
func (s *secretStory) tables() map[string][][]byte {
	t := s.t
	port, err := os.ReadFile(filepath.Join(s.dir, postgresDir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(filepath.Join(s.dir, postgresDir, "postgres.password"))
	if err != nil {
		t.Fatal(err)
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", strings.TrimSpace(string(password))),
		Host: "127.0.0.1:" + strings.Split(string(port), "\n")[3], Path: databaseName,
	}
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	const sql = `
		SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
		UNION ALL VALUES ('pg_authid'), ('pg_stat_activity'), ('pg_db_role_setting'), ('pg_description'), ('pg_proc')`
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][][]byte{}
	for _, name := range names {
		rows, err := conn.Query(t.Context(), "SELECT * FROM "+name)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			for _, field := range rows.RawValues() {
				tables[name] = append(tables[name], bytes.Clone(field))
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return tables
}

// lookEverywhere searches what was collected and what the program has left behind.
func (s *secretStory) lookEverywhere(tables map[string][][]byte) {
	t := s.t
	secrets := s.all()
	look := newSearch(secrets)
	places := 0
	report := func(place string, found []string) {
		if len(found) > 0 {
			if places++; places > 20 {
				return
			}
			t.Errorf(
				"%s holds %d of %d secrets: %s",
				place,
				len(found),
				len(secrets),
				strings.Join(found[:min(len(found), 12)], "; "),
			)
		}
	}
	marked := map[string]bool{}
	for what, answer := range s.answers {
		report(what, look.deep(answer))
		marked["answers"] = marked["answers"] || bytes.Contains(answer, []byte(marker))
		marked["metrics"] = marked["metrics"] ||
			strings.HasPrefix(what, "GET /metrics") && bytes.Contains(answer, []byte("hooktrail_"))
	}
	output := []byte(s.output.String())
	report("the output", look.deep(output))
	marked["output"] = bytes.Contains(output, []byte(`"DEBUG"`)) || bytes.Contains(output, []byte("serving"))
	for table, fields := range tables {
		var found []string
		for _, field := range fields {
			found = append(found, look.in(field)...)
			marked["tables"] = marked["tables"] || bytes.Contains(field, []byte(marker))
		}
		slices.Sort(found)
		report("the table "+table, slices.Compact(found))
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		own := strings.HasSuffix(path, ".password") || d != nil && d.Name() == masterKeyFile
		if err != nil || !d.Type().IsRegular() || own {
			return err
		}
		text, err := os.ReadFile(path)
		report(path, look.in(text))
		for _, place := range []string{"base", "pg_wal"} {
			marked[place] = marked[place] || strings.Contains(path, "/"+place+"/") && bytes.Contains(text, []byte(marker))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"answers", "metrics", "output", "tables", "base", "pg_wal"} {
		if !marked[place] {
			t.Errorf("the search didn't look into the %s: even what is no secret wasn't found", place)
		}
	}
	t.Logf("%d secrets, %d answers, %d tables", len(secrets), len(s.answers), len(tables))
}
