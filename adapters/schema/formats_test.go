package schema

import (
	"strconv"
	"testing"
)

// The suite has more; these run without it.
func TestFormats(t *testing.T) {
	t.Parallel()
	for format, cases := range map[string]map[string]bool{
		"uri-template": {
			"": true, "https://a.example{/x}": true, "/a{?x,y}": true, "{+base}/b{&z*}{#f:3}{;k}{.e}": true, "it's": true, "ä{a.b}": true,
			"{": false, "}": false, "{}": false, "{a": false, "{a,}": false, "{a:0}": false, "{a:10000}": false, "{a b}": false,
			"{a{b}}": false, "a b": false, "%zz": false, "<": false, "{?x*:3}": false, "{%41}": true,
		},
		"uri": {
			"https://u:p@a.example:80/b;c?d=/?#e": true, "urn:a:b": true, "mailto:a@b.example": true, "http://[2001:db8::1]:1/": true,
			"http://a.example{/y}": false, "/a": false, "a": false, "http://a b": false, "http://[::1": false, "http://a:b": false,
			"1a:b": false, "http://ä.example": false, "a:%4": false, `a:\b`: false, "a:#b#c": false, "http://[v1.a]": true,
		},
		"uri-reference": {"": true, "a/b:c": true, "//a.example": true, "?a": true, "#": true, "a b": false, "{a}": false, ":a": false, "a\"": false},
		"iri":           {"https://ä.example/ö?\ue000": true, "https://a/\ue000": false, "ä": false},
		"iri-reference": {"ä": true, "ä b": false},
		"date-time": {
			"2016-12-31t23:59:60.5z": true, "2016-12-31T15:59:60-08:00": true, "2016-12-31T23:59:60+01:00": false,
			"2026-02-29T00:00:00Z": false, "2026-01-01T00:00:00,5Z": false, "2026-01-01T00:00:00+24:00": false, "2026-01-01 00:00:00Z": false,
		},
		"time":         {"12:00:00Z": true, "+1:00:00Z": false, "12:00:00": false},
		"duration":     {"P1Y2M3DT4H": true, "P2W": true, "P1Y2D": false, "PT1H2S": false, "P": false, "P1DT": false},
		"ipv4":         {"1.2.3.4": true, "+1.2.3.4": false, "01.2.3.4": false},
		"ipv6":         {"::1": true, "::ffff:1.2.3.4": true, "fe80::1%a": false, "1.2.3.4": false},
		"hostname":     {"a-b.example": true, "xn--nxasmq6b": true, "a_b": false, "ä.example": false, "-a": false, "xn--X": false},
		"idn-hostname": {"ä.example": true, "l·l": true, "a·l": false},
		"email":        {"a@b.example": true, "@b.example": false, `"a b"@b.example`: true, "ä@b.example": false, "a@[1.2.3.4]": true},
		"idn-email":    {"ä@ö.example": true, "ä": false},
		"regex":        {"(?=a)b": true, "[]": true, "(": false, "a**": false, `\Z`: false, "(?P<a>b)": false},
		"semver":       {"anything": true},
		"unheard-of":   {"anything": true},
	} {
		for _, d := range dialects() {
			s := compile(t, `{"$schema":"`+string(d)+`","format":"`+format+`"}`)
			for text, want := range cases {
				if found := s.violations([]byte(strconv.Quote(text))); (len(found) == 0) != want {
					t.Errorf("%s %q gives %v, valid is %t", format, text, found, want)
				}
			}
		}
	}
}

// Patterns are those of ECMA 262.
func TestPattern(t *testing.T) {
	t.Parallel()
	for pattern, cases := range map[string]map[string]bool{
		`^\\s[^\\s]$`:      {`"\u00a0a"`: true, `"\ufeffa"`: true, `"a "`: false},
		`^\\u0041\\cJ$`:    {`"A\n"`: true, `"A"`: false},
		`^[^]$`:            {`"\n"`: true, `""`: false},
		`^[]`:              {`"a"`: false},
		`^[[:alpha:]]`:     {`":]"`: true, `"b]"`: false},
		`^\\ud83d\\ude00$`: {`"😀"`: true},
	} {
		for data, want := range cases {
			if found := compile(t, `{"pattern":"`+pattern+`"}`).violations([]byte(data)); (len(found) == 0) != want {
				t.Errorf("%s with %s gives %v, valid is %t", pattern, data, found, want)
			}
		}
	}
}

// Each dialect has its own keywords.
func TestCompile_dialects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dialect dialect
		rules   string
		valid   []string
		invalid []string
	}{
		{draft7, `"items":[{"type":"null"}],"additionalItems":{"type":"string"}`, []string{`[null,"a"]`}, []string{`[1]`, `[null,1]`}},
		{draft2019, `"items":[{"type":"null"}],"additionalItems":false`, []string{`[null]`}, []string{`[1]`, `[null,1]`}},
		{draft7, `"dependencies":{"a":["b"],"c":{"minProperties":3}}`, []string{`{"a":1,"b":1}`}, []string{`{"a":1}`, `{"c":1}`}},
		{draft7, `"definitions":{"a":{"$id":"#x","type":"null"}},"allOf":[{"$ref":"#x","minimum":3}]`, []string{`null`}, []string{`1`}},
		{draft7, `"prefixItems":[false],"dependentRequired":{"a":["b"]}`, []string{`[1]`, `{"a":1}`}, nil},
		{draft2020, `"prefixItems":[false],"dependentRequired":{"a":["b"]}`, nil, []string{`[1]`, `{"a":1}`}},
		{draft2020, `"additionalItems":false,"my-keyword":{"$ref":"file:///etc/passwd"}`, []string{`[1]`}, nil},
	} {
		s := compile(t, `{"$schema":"`+string(c.dialect)+`",`+c.rules+`}`)
		for _, data := range c.valid {
			if found := s.violations([]byte(data)); found != nil {
				t.Errorf("%s %s: %s gives %v", c.dialect, c.rules, data, found)
			}
		}
		for _, data := range c.invalid {
			if s.violations([]byte(data)) == nil {
				t.Errorf("%s %s: %s is valid", c.dialect, c.rules, data)
			}
		}
	}
}
