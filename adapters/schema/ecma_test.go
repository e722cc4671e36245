package schema

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// What ECMA 262 with flag u refuses is refused as a pattern and as data of the format regex.
func TestEcma_syntax(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`(?`, `(`, `)`, `(?:`, `a{2,1}`, `a{10,9}`, `a{99999999999999999999,5}`, `(?<n>a)(?<n>b)`, `(?<n>a)|(?<n>b)`, `^*`, `\B*`, `\b+`,
		`${2}`, `a**`, `a{1}{2}`, `*`, `a|*`, `(?=a)*`, `(?<!a){2}`, `(?U)a+`, `(?i)a`, `(?i:a)`, `(?-i:a)`, `(?s).`, `(?m)^a`, `(?x)a`,
		`(?P<n>a)`, `(?#c)a`, `(?>a)`, `(?|a)`, `(?<>a)`, `(?<1>a)`, `(?<a-b>a)`, `(?<a`, `(?<٠>a)`, `\k<n>`, `\k`, `\k<`, `[\k]`, `\u`,
		`\u{}`, `\u{110000}`, `\u{41`, `\u004`, `\x`, `\x4g`, `{`, `}`, `]`, `a{`, `a{,5}`, `a{x}`, `a{1`, `\1`, `\8`, `\2(a)`, `\00`, `\07`,
		`[\1]`, `[\00]`, `\N`, `\e`, `\a`, `\_`, `\-`, `\é`, `\ `, `\Z`, `\z`, `\A`, `\Q`, `\E`, `\C`, `\G`, `\K`, `\R`, `\X`, `\h`, `[\B]`, `[\q]`,
		`\c`, `\c1`, `[\c_]`, `[a-\d]`, `[\d-a]`, `[\w-\d]`, `[z-a]`, `[a-\b]`, `[`, `[^`, `[a`, `[a-`, `[a\`, `\`, `[]a]`, `[[:alpha:]]`,
		`\p`, `\pL`, `\p{}`, `\p{L`, `\p{Greek}`, `\p{IsGreek}`, `\p{l}`, `\p{ L}`, `\p{^L}`, `\p{L&}`, `\p{L=}`, `\p{=L}`, `\p{gc}`, `\p{Script}`,
		`\p{Script=}`, `\p{Script=greek}`, `\p{Block=Latin}`, `\p{Other_Alphabetic}`, `\p{Hyphen}`, `\P{emoji}`, `[\p{L}-z]`, `\x{41}`,
	} {
		if isRegexp(text) {
			t.Errorf("%s has the format regex", text)
		}
		if p, bad := newPattern(text); bad == nil || !bad.syntax || bad.at < 1 || bad.at > len(text)+1 {
			t.Errorf("%s gives %v, %v", text, p, bad)
		}
	}
}

// What ECMA 262 has and can't be run here has the format regex, and is refused as a pattern with the true reason.
func TestEcma_foreign(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`a(?=b)`:             "has a look-ahead, which can't be matched in linear time, at character 2",
		`é(?!b)`:             "has a look-ahead, which can't be matched in linear time, at character 2",
		`(?<=a)b`:            "has a look-behind, which can't be matched in linear time, at character 1",
		`(?<!a)b`:            "has a look-behind, which can't be matched in linear time, at character 1",
		`(a)\1`:              "has a back-reference, which can't be matched in linear time, at character 4",
		`\k<n>(?<n>a)`:       "has a back-reference, which can't be matched in linear time, at character 1",
		`(?<\u{61}>a)\k<a>+`: "has a back-reference, which can't be matched in linear time, at character 13",
		`a\p{Emoji}`:         "has a Unicode property that this program doesn't know at character 2",
		`[\P{ExtPict}]`:      "has a Unicode property that this program doesn't know at character 2",
		`\p{scx=Grek}`:       "has a Unicode property that this program doesn't know at character 1",
		`a{1001}`:            "has a repetition of more than 1000 times at character 2",
		`a{5,99999999999}`:   "has a repetition of more than 1000 times at character 2",
		`(a{50}){50}`:        "is too large a regular expression: repetitions count as often as they repeat",
		`x{600}`:             "is too large a regular expression: repetitions count as often as they repeat",
		strings.Repeat(`[\P{Alphabetic}]`, 60): "is too large a regular expression: repetitions count as often as they " +
			"repeat",
	} {
		if !isRegexp(text) {
			t.Errorf("%s hasn't the format regex", text)
		}
		if p, bad := newPattern(text); bad == nil || bad.Error() != want {
			t.Errorf("%s gives %v, %v\nwant %s", text, p, bad, want)
		}
	}
}

// Expressions match what they match in ECMA 262: matching ones, then others.
func TestEcma_matches(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ matching, others []string }{
		`^.$`:                {[]string{"a", "\u0085", "😀"}, []string{"\n", "\r", "\u2028", "\u2029", "", "ab"}},
		`^a.b$`:              {[]string{"a-b"}, []string{"a\rb", "a\u2028b"}},
		`a$`:                 {[]string{"ba"}, []string{"a\n"}},
		`^b`:                 {[]string{"ba"}, []string{"a\nb"}},
		`^[^]$`:              {[]string{"\n", "😀"}, []string{""}},
		`[]`:                 {nil, []string{"", "a"}},
		`a|[]`:               {[]string{"a"}, []string{"b"}},
		`^[^\S]$`:            {[]string{" ", "\u00a0", "\ufeff"}, []string{"a", "\u180e", "\u200b"}},
		`^[\S]$`:             {[]string{"a", "\u180e", "\u0085"}, []string{" ", "\u2028"}},
		`^[\S\s]$`:           {[]string{"a", " "}, nil},
		`^[\b]$`:             {[]string{"\b"}, []string{"b"}},
		`^\bé?a\b`:           {[]string{"a"}, []string{"éa"}},
		`^\w\W$`:             {[]string{"aé", "_ſ"}, []string{"éa", "a1"}},
		`^\d$`:               {[]string{"1"}, []string{"١"}},
		`^\p{Script=Greek}$`: {[]string{"α"}, []string{"a"}},
		`^\p{sc=Grek}$`:      {[]string{"α"}, []string{"a"}},
		`^\p{Script=Nko}$`:   {[]string{"ߐ"}, []string{"a"}},
		`^\p{sc=Aghb}$`:      {[]string{"\U00010530"}, []string{"a"}},
		`^\P{sc=Greek}$`:     {[]string{"a"}, []string{"α"}},
		`^[\P{sc=Greek}β]$`:  {[]string{"a", "β"}, []string{"α"}},
		`^\p{gc=Lu}$`:        {[]string{"É"}, []string{"é"}},
		`^\p{General_Category=Uppercase_Letter}$`: {[]string{"É"}, []string{"é"}},
		`^\p{Lu}\p{Letter}$`:                      {[]string{"Éé"}, []string{"éÉ"}},
		`^\p{Cn}$`:                                {[]string{"\u0378"}, []string{"a"}},
		`^\p{Alphabetic}$`:                        {[]string{"ͅ", "ñ"}, []string{"1", "-"}},
		`^[\p{Alpha}\d]+$`:                        {[]string{"añ1"}, []string{"a-"}},
		`^[\P{Alpha}b]+$`:                         {[]string{"1b-"}, []string{"a"}},
		`^\P{Lowercase}$`:                         {[]string{"A", "1"}, []string{"a", "ª"}},
		`^\p{White_Space}$`:                       {[]string{"\u0085"}, []string{"a"}},
		`^\p{ASCII}$`:                             {[]string{"a"}, []string{"é"}},
		`\P{Any}|^[^\P{Any}]$`:                    {[]string{"a", "😀"}, []string{""}},
		`^\p{Assigned}$`:                          {[]string{"a"}, []string{"\u0378"}},
		`^\P{Assigned}$`:                          {[]string{"\u0378"}, []string{"a"}},
		`^(?<$a>a)(?<ñ>b)$`:                       {[]string{"ab"}, nil},
		`^\uD83D\uDE00$`:                          {[]string{"😀"}, []string{"\ufffd\ufffd"}},
		`^[\uD83D\uDE00]$`:                        {[]string{"😀"}, []string{"\ufffd"}},
		`\uD83D|^[\uDE00]$`:                       {nil, []string{"😀", "\ufffd", ""}},
		`^[^\uD83D]$`:                             {[]string{"a", "\ufffd"}, nil},
		`^[\u{D7FF}-\uDC00]$`:                     {[]string{"\ud7ff"}, []string{"\ufffd", "\ue000"}},
		`^\u{00000041}\x42\cJ\0$`:                 {[]string{"AB\n\x00"}, nil},
		`^[--a][+\-*-]$`:                          {[]string{".-", "a*"}, []string{"+a"}},
		`^[a&&b[]$`:                               {[]string{"&", "["}, []string{"&]"}},
		`^\/\^\$\{$`:                              {[]string{"/^${"}, nil},
		`^a{002}b{0}c{00,01}$`:                    {[]string{"aa", "aac"}, []string{"a", "aab"}},
		`^a{2,}?b+?c??$`:                          {[]string{"aaab", "aabc"}, []string{"ab"}},
		`^(a?){3}(?:)*()+$`:                       {[]string{"", "aaa"}, []string{"aaaa"}},
		`^(?:^a$)*$`:                              {[]string{"a", ""}, []string{"aa"}},
	} {
		p, bad := newPattern(text)
		if bad != nil {
			t.Errorf("%s: %v", text, bad)
			continue
		}
		for _, s := range c.matching {
			if !p.MatchString(s) {
				t.Errorf("%s doesn't match %q", text, s)
			}
		}
		for _, s := range c.others {
			if p.MatchString(s) {
				t.Errorf("%s matches %q", text, s)
			}
		}
	}
}

// Every name of a property leads to a table, and none of Go's has been overlooked.
func TestUnicodeProperty(t *testing.T) {
	t.Parallel()
	scripts := map[string]bool{}
	for short, long := range scriptCodes() {
		if unicode.Scripts[long] == nil {
			t.Errorf("there is no script %s, %s", short, long)
		}
		scripts[long] = true
	}
	for long := range unicode.Scripts {
		if len(long) != 4 && !scripts[long] { // Thai has no other name, Ahom neither
			t.Errorf("the script %s has no short name", long)
		}
	}
	for short, long := range binaryAliases() {
		if kind, _ := unicodeProperty(long, "", false); kind == noProperty {
			t.Errorf("there is no property %s, %s", short, long)
		}
	}
	for name := range strings.FieldsSeq(listedProperties) {
		if unicode.Properties[name] == nil {
			t.Errorf("Go has no property %s", name)
		}
	}
	for name := range binaryProperties() {
		if _, bad := newPattern(`\p{` + name + `}[^\P{` + name + `}]`); bad != nil &&
			!strings.Contains(foreignProperties, name) {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

// What an expression takes is linear in its text, and the format regex has no use for properties' tables.
func TestIsRegexp_large(t *testing.T) {
	const size = 256 << 10
	for _, part := range []string{`(`, `(?:a|`, `[`, `\p{Alphabetic}`, `[\P{Any}]`, `(?=a)`, `\u{0`, `(a)\1`, `a{1,2}`, `(?<a`} {
		text := strings.Repeat(part, size/len(part))
		if allocated := testing.AllocsPerRun(1, func() { isRegexp(text) }); allocated > size/4 {
			t.Errorf("%s… takes %.0f allocations", part, allocated)
		}
	}
}

// FuzzPattern: every text is refused with a place or yields an expression that Go compiles, unless it is too large.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{
		`^(?<a>[\p{L}\d_-]+)@\k<a>{2,3}?$`, `[^\uD83D\uDE00-\u{10FFFF}\]]`, `(a{50}){50}|\P{sc=Grek}`, `(?<=\1)(b)`, `[--a]\cJ\0\x41`, "\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxPatternBytes {
			return
		}
		written, bad := asGo(text)
		if (bad == nil || !bad.syntax) != isRegexp(text) {
			t.Fatalf("%q gives %v, the format regex something else", text, bad)
		}
		if bad != nil {
			if bad.at > len(text)+1 || bad.text == "" {
				t.Fatalf("%q gives %+v", text, bad)
			}
			return
		}
		if _, err := regexp.Compile(written); err != nil && !strings.Contains(err.Error(), "invalid repeat count") &&
			!strings.Contains(err.Error(), "expression too large") && !strings.Contains(err.Error(), "nests too deeply") {
			t.Fatalf("%q is written %q: %v", text, written, err)
		}
	})
}
