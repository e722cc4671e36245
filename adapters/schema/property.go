package schema

import (
	"slices"
	"strings"
	"sync"
	"unicode"
)

// propertyKind is what becomes of a Unicode property that an expression names.
type propertyKind int

const (
	noProperty      propertyKind = iota // ECMA 262 doesn't have it
	foreignProperty                     // there is no table of it here
	knownProperty
)

// unicodeProperty finds a property by its name in ECMA 262, §21.2.1 (tables 54 to 58), with its value or
// alone. Names are compared exactly.
func unicodeProperty(name, value string, valued bool) (propertyKind, func(not bool) *characterSet) {
	if !valued {
		if category, ok := categoryName(name); ok {
			return knownProperty, named(category)
		}
		return binaryProperty(name)
	}
	switch name {
	case "General_Category", "gc":
		if category, ok := categoryName(value); ok {
			return knownProperty, named(category)
		}
	case "Script", "sc", "Script_Extensions", "scx":
		script := value
		if long, ok := scriptCodes()[value]; ok {
			script = long
		}
		table, ok := unicode.Scripts[script]
		switch {
		case value == "Unknown" || value == "Zzzz" || ok && (name == "Script_Extensions" || name == "scx"):
			return foreignProperty, nil
		case ok: // Go's syntax doesn't find those with an underscore
			return knownProperty, written(func() ranges { return union(table) })
		}
	}
	return noProperty, nil
}

// named is a category, which Go's syntax has.
func named(name string) func(not bool) *characterSet {
	return func(not bool) *characterSet {
		text := `\p{` + name + `}`
		if not {
			text = `\P{` + name + `}`
		}
		return &characterSet{text, text}
	}
}

// categoryName is a general category's name in Go's syntax, by its short or long one.
func categoryName(name string) (string, bool) {
	if short, ok := unicode.CategoryAliases[name]; ok {
		return short, true
	}
	_, ok := unicode.Categories[name]
	return name, ok
}

// binaryProperty finds one of the properties that a character has or hasn't.
func binaryProperty(name string) (propertyKind, func(not bool) *characterSet) {
	if long, ok := binaryAliases()[name]; ok {
		name = long
	}
	if name == "Assigned" {
		unassigned := named("Cn")
		return knownProperty, func(not bool) *characterSet { return unassigned(!not) }
	}
	set, ok := binaryProperties()[name]
	switch {
	case !ok:
		return noProperty, nil
	case set == nil:
		return foreignProperty, nil
	}
	return knownProperty, set
}

// binaryProperties has nil for those that can't be had from Go's tables.
var binaryProperties = sync.OnceValue(func() map[string]func(not bool) *characterSet {
	sets := map[string]func(not bool) *characterSet{}
	for name := range strings.FieldsSeq(foreignProperties) {
		sets[name] = nil
	}
	for name := range strings.FieldsSeq(listedProperties) {
		sets[name] = written(func() ranges { return union(unicode.Properties[name]) })
	}
	for name, derive := range derivedProperties() {
		sets[name] = written(derive)
	}
	return sets
})

// written is a property that Go's syntax doesn't have, written out once it is used.
func written(derive func() ranges) func(not bool) *characterSet {
	texts := sync.OnceValues(func() (has, hasNot string) {
		set := derive()
		return set.text(), all().without(set).text()
	})
	return func(not bool) *characterSet {
		has, hasNot := texts()
		if not {
			return &characterSet{"[^" + has + "]", hasNot}
		}
		return &characterSet{"[" + has + "]", has}
	}
}

// listedProperties are those of ECMA 262 whose tables Go has under the same name.
const listedProperties = `ASCII_Hex_Digit Bidi_Control Dash Deprecated Diacritic Extender Hex_Digit IDS_Binary_Operator
	IDS_Trinary_Operator Ideographic Join_Control Logical_Order_Exception Noncharacter_Code_Point Pattern_Syntax
	Pattern_White_Space Quotation_Mark Radical Regional_Indicator Sentence_Terminal Soft_Dotted Terminal_Punctuation
	Unified_Ideograph Variation_Selector White_Space`

// foreignProperties are those of ECMA 262 that can't be had from Go's tables.
const foreignProperties = `Bidi_Mirrored Case_Ignorable Changes_When_Casefolded Changes_When_Casemapped
	Changes_When_Lowercased Changes_When_NFKC_Casefolded Changes_When_Titlecased Changes_When_Uppercased Emoji
	Emoji_Component Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic XID_Continue XID_Start`

// derivedProperties are put together as DerivedCoreProperties.txt of Unicode has them.
func derivedProperties() map[string]func() ranges {
	lowercase := func() ranges { return union(unicode.Ll, unicode.Other_Lowercase) }
	uppercase := func() ranges { return union(unicode.Lu, unicode.Other_Uppercase) }
	extend := func() ranges { return union(unicode.Me, unicode.Mn, unicode.Other_Grapheme_Extend) }
	patterns := func() ranges { return union(unicode.Pattern_Syntax, unicode.Pattern_White_Space) }
	return map[string]func() ranges{
		"Any":       all,
		"ASCII":     func() ranges { return ranges{{0, unicode.MaxASCII}} },
		"Lowercase": lowercase,
		"Uppercase": uppercase,
		"Cased":     func() ranges { return slices.Concat(lowercase(), uppercase(), union(unicode.Lt)).merged() },
		"Math":      func() ranges { return union(unicode.Sm, unicode.Other_Math) },
		"Alphabetic": func() ranges {
			return slices.Concat(lowercase(), uppercase(),
				union(unicode.Lt, unicode.Lm, unicode.Lo, unicode.Nl, unicode.Other_Alphabetic)).merged()
		},
		"Default_Ignorable_Code_Point": func() ranges {
			return union(unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector).
				without(union(unicode.White_Space, unicode.Prepended_Concatenation_Mark)).
				without(ranges{{0xFFF9, 0xFFFB}, {0x13430, 0x13440}})
		},
		"Grapheme_Extend": extend,
		"Grapheme_Base": func() ranges {
			return all().without(union(unicode.C, unicode.Categories["Cn"], unicode.Zl, unicode.Zp)).without(extend())
		},
		"ID_Start": func() ranges {
			return union(unicode.L, unicode.Nl, unicode.Other_ID_Start).without(patterns())
		},
		"ID_Continue": func() ranges {
			return union(unicode.L, unicode.Nl, unicode.Other_ID_Start, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc,
				unicode.Other_ID_Continue).without(patterns())
		},
	}
}

// ranges are sets of characters: from, to. They are in order and apart once merged.
type ranges [][2]rune

func all() ranges { return ranges{{0, unicode.MaxRune}} }

// union are the characters of all tables.
func union(tables ...*unicode.RangeTable) ranges {
	var set ranges
	add := func(from, to, stride rune) {
		if stride == 1 {
			set = append(set, [2]rune{from, to})
			return
		}
		for c := from; c <= to; c += stride {
			set = append(set, [2]rune{c, c})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return set.merged()
}

// merged sorts the ranges and joins those that touch.
func (s ranges) merged() ranges {
	slices.SortFunc(s, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var joined ranges
	for _, r := range s {
		if last := len(joined) - 1; last >= 0 && r[0] <= joined[last][1]+1 {
			joined[last][1] = max(joined[last][1], r[1])
		} else {
			joined = append(joined, r)
		}
	}
	return joined
}

// without are the characters of s that o doesn't have.
func (s ranges) without(o ranges) ranges {
	var left ranges
	for _, r := range s {
		for len(o) > 0 && o[0][1] < r[0] {
			o = o[1:]
		}
		from := r[0]
		for _, hole := range o {
			if hole[0] > r[1] {
				break
			}
			if from < hole[0] {
				left = append(left, [2]rune{from, hole[0] - 1})
			}
			from = hole[1] + 1
		}
		if from <= r[1] {
			left = append(left, [2]rune{from, r[1]})
		}
	}
	return left
}

// text is what a class in Go's syntax has between its brackets.
func (s ranges) text() string {
	var b strings.Builder
	for _, r := range s {
		b.WriteString(hex(r[0]))
		if r[0] < r[1] {
			b.WriteByte('-')
			b.WriteString(hex(r[1]))
		}
	}
	return b.String()
}

// binaryAliases are the long names of properties, by their short ones.
var binaryAliases = sync.OnceValue(func() map[string]string {
	return pairs(`AHex=ASCII_Hex_Digit Alpha=Alphabetic Bidi_C=Bidi_Control Bidi_M=Bidi_Mirrored CI=Case_Ignorable
		CWCF=Changes_When_Casefolded CWCM=Changes_When_Casemapped CWKCF=Changes_When_NFKC_Casefolded
		CWL=Changes_When_Lowercased CWT=Changes_When_Titlecased CWU=Changes_When_Uppercased
		DI=Default_Ignorable_Code_Point Dep=Deprecated Dia=Diacritic EBase=Emoji_Modifier_Base EComp=Emoji_Component
		EMod=Emoji_Modifier EPres=Emoji_Presentation Ext=Extender ExtPict=Extended_Pictographic Gr_Base=Grapheme_Base
		Gr_Ext=Grapheme_Extend Hex=Hex_Digit IDC=ID_Continue IDS=ID_Start IDSB=IDS_Binary_Operator
		IDST=IDS_Trinary_Operator Ideo=Ideographic Join_C=Join_Control LOE=Logical_Order_Exception Lower=Lowercase
		NChar=Noncharacter_Code_Point Pat_Syn=Pattern_Syntax Pat_WS=Pattern_White_Space QMark=Quotation_Mark
		RI=Regional_Indicator SD=Soft_Dotted STerm=Sentence_Terminal Term=Terminal_Punctuation
		UIdeo=Unified_Ideograph Upper=Uppercase VS=Variation_Selector XIDC=XID_Continue XIDS=XID_Start
		space=White_Space`)
})

// scriptCodes are the long names of scripts, by their short ones.
var scriptCodes = sync.OnceValue(func() map[string]string {
	return pairs(`Adlm=Adlam Aghb=Caucasian_Albanian Arab=Arabic Armi=Imperial_Aramaic Armn=Armenian Avst=Avestan Bali=Balinese
		Bamu=Bamum Bass=Bassa_Vah Batk=Batak Beng=Bengali Bhks=Bhaiksuki Bopo=Bopomofo Brah=Brahmi Brai=Braille
		Bugi=Buginese Buhd=Buhid Cakm=Chakma Cans=Canadian_Aboriginal Cari=Carian Cher=Cherokee Chrs=Chorasmian
		Copt=Coptic Cpmn=Cypro_Minoan Cprt=Cypriot Cyrl=Cyrillic Deva=Devanagari Diak=Dives_Akuru Dogr=Dogra
		Dsrt=Deseret Dupl=Duployan Egyp=Egyptian_Hieroglyphs Elba=Elbasan Elym=Elymaic Ethi=Ethiopic Geor=Georgian
		Glag=Glagolitic Gong=Gunjala_Gondi Gonm=Masaram_Gondi Goth=Gothic Gran=Grantha Grek=Greek Gujr=Gujarati
		Guru=Gurmukhi Hang=Hangul Hani=Han Hano=Hanunoo Hatr=Hatran Hebr=Hebrew Hira=Hiragana
		Hluw=Anatolian_Hieroglyphs Hmng=Pahawh_Hmong Hmnp=Nyiakeng_Puachue_Hmong Hung=Old_Hungarian Ital=Old_Italic
		Java=Javanese Kali=Kayah_Li Kana=Katakana Khar=Kharoshthi Khmr=Khmer Khoj=Khojki Kits=Khitan_Small_Script
		Knda=Kannada Kthi=Kaithi Lana=Tai_Tham Laoo=Lao Latn=Latin Lepc=Lepcha Limb=Limbu Lina=Linear_A Linb=Linear_B
		Lyci=Lycian Lydi=Lydian Mahj=Mahajani Maka=Makasar Mand=Mandaic Mani=Manichaean Marc=Marchen Medf=Medefaidrin
		Mend=Mende_Kikakui Merc=Meroitic_Cursive Mero=Meroitic_Hieroglyphs Mlym=Malayalam Mong=Mongolian Mroo=Mro
		Mtei=Meetei_Mayek Mult=Multani Mymr=Myanmar Nagm=Nag_Mundari Nand=Nandinagari Narb=Old_North_Arabian
		Nbat=Nabataean Nkoo=Nko Nshu=Nushu Ogam=Ogham Olck=Ol_Chiki Orkh=Old_Turkic Orya=Oriya Osge=Osage Osma=Osmanya
		Ougr=Old_Uyghur Palm=Palmyrene Pauc=Pau_Cin_Hau Perm=Old_Permic Phag=Phags_Pa Phli=Inscriptional_Pahlavi
		Phlp=Psalter_Pahlavi Phnx=Phoenician Plrd=Miao Prti=Inscriptional_Parthian Qaac=Coptic Qaai=Inherited
		Rjng=Rejang Rohg=Hanifi_Rohingya Runr=Runic Samr=Samaritan Sarb=Old_South_Arabian Saur=Saurashtra
		Sgnw=SignWriting Shaw=Shavian Shrd=Sharada Sidd=Siddham Sind=Khudawadi Sinh=Sinhala Sogd=Sogdian
		Sogo=Old_Sogdian Sora=Sora_Sompeng Soyo=Soyombo Sund=Sundanese Sylo=Syloti_Nagri Syrc=Syriac Tagb=Tagbanwa
		Takr=Takri Tale=Tai_Le Talu=New_Tai_Lue Taml=Tamil Tang=Tangut Tavt=Tai_Viet Telu=Telugu Tfng=Tifinagh
		Tglg=Tagalog Thaa=Thaana Tibt=Tibetan Tirh=Tirhuta Tnsa=Tangsa Ugar=Ugaritic Vaii=Vai Vith=Vithkuqi
		Wara=Warang_Citi Wcho=Wancho Xpeo=Old_Persian Xsux=Cuneiform Yezi=Yezidi Yiii=Yi Zanb=Zanabazar_Square
		Zinh=Inherited Zyyy=Common`)
})

func pairs(list string) map[string]string {
	all := map[string]string{}
	for pair := range strings.FieldsSeq(list) {
		short, long, _ := strings.Cut(pair, "=")
		all[short] = long
	}
	return all
}
