package schema

import (
	"errors"
	"strconv"
	"strings"
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
		"email": {
			"a@b.example": true, "@b.example": false, `"a b"@b.example`: true, "ä@b.example": false, "a@[1.2.3.4]": true,
			`"a\"b"@c.d`: true, `"a\\b"@c.d`: true, `"a\ b"@c.d`: true, `"a\b"@c.d`: true, `""@c.d`: true, `"a"b"@c.d`: false, `"a\"@c.d`: false,
			"\"a\\\tb\"@c.d": false, "\"a\tb\"@c.d": false, `"a"b@c.d`: false, `"@c.d`: false,
		},
		"idn-email": {"ä@ö.example": true, "ä": false, `"ä\"b"@ö.example`: true, `"\ä"@ö.example`: false, `"ä"ä"@ö.example`: false},
		"regex": {
			"(?=a)b": true, "[]": true, "(": false, "a**": false, `\Z`: false, "(?P<a>b)": false, `\p{Script=Greek}`: true, `\p{Emoji}`: true,
			`(a)\1`: true, `\1`: false, "{": false, `\p{Greek}`: false,
		},
		"semver":     {"anything": true},
		"unheard-of": {"anything": true},
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
		`^[[:alpha:]\\]`:   {`":]"`: true, `"b]"`: false},
		`^\\ud83d\\ude00$`: {`"😀"`: true},
	} {
		for data, want := range cases {
			if found := compile(t, `{"pattern":"`+pattern+`"}`).violations([]byte(data)); (len(found) == 0) != want {
				t.Errorf("%s with %s gives %v, valid is %t", pattern, data, found, want)
			}
		}
	}
}

// Patterns that only ECMA 262 has are accepted wherever a pattern is, in every dialect.
func TestPattern_dialects(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		s := compile(t, `{"$schema":"`+string(d)+`","pattern":"^\\p{sc=Grek}","patternProperties":{"^(?<$a>\\u{61})$":false}}`)
		for data, valid := range map[string]bool{`"α"`: true, `"a"`: false, `{"b":1}`: true, `{"a":1}`: false} {
			if found := s.violations([]byte(data)); (len(found) == 0) != valid {
				t.Errorf("%s: %s gives %v", d, data, found)
			}
		}
		for _, rule := range []string{`"pattern":"\\p{Greek}"`, `"patternProperties":{"\\p{Greek}":true}`} {
			_, err := Compile([]byte(`{"$schema":"` + string(d) + `",` + rule + `}`))
			var bad *DocumentError
			if !errors.As(err, &bad) || len(bad.Faults) != 1 ||
				bad.Faults[0].Text != "is not a regular expression of ECMA 262 with flag u: a Unicode property that "+
					"doesn't exist at character 1" {
				t.Errorf("%s: %s gives %v", d, rule, err)
			}
		}
	}
}

// dependencies and the keywords that it became are in force beside each other.
func TestCompile_dependenciesTwice(t *testing.T) {
	t.Parallel()
	const old = `"dependencies":{"a":{"required":["b"]},"l":["m"],"o":["p"],"q":{"required":["r"]}}`
	const young = `"dependentSchemas":{"a":{"required":["c"]},"o":{"required":["s"]}},"dependentRequired":{"l":["n"],"q":["t"]}`
	for _, d := range []dialect{draft2019, draft2020} {
		s := compile(t, `{"$schema":"`+string(d)+`",`+old+`,`+young+`}`)
		for data, valid := range map[string]bool{
			`{"a":1}`: false, `{"a":1,"b":1}`: false, `{"a":1,"c":1}`: false, `{"a":1,"b":1,"c":1}`: true,
			`{"l":1,"m":1}`: false, `{"l":1,"n":1}`: false, `{"l":1,"m":1,"n":1}`: true,
			`{"o":1,"p":1}`: false, `{"o":1,"p":1,"s":1}`: true, `{"q":1,"r":1}`: false, `{"q":1,"r":1,"t":1}`: true,
		} {
			if found := s.violations([]byte(data)); (len(found) == 0) != valid {
				t.Errorf("%s: %s gives %v", d, data, found)
			}
		}
		if changes := Breaks(s, s); len(changes) > 0 {
			t.Errorf("%s breaks itself: %v", d, changes)
		}
		for _, rules := range []string{old, young, strings.Replace(old, `"b"`, `"x"`, 1) + "," + young} {
			if changes := Breaks(s, compile(t, `{"$schema":"`+string(d)+`",`+rules+`}`)); len(changes) == 0 {
				t.Errorf("%s: nothing breaks without the whole of both: %s", d, rules)
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
