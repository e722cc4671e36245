// Package schema checks events' data against the JSON Schema of their type, reports what a new version of a schema breaks
// for receivers of the old one, and contains catalogues of event types.
//
// [Compile] checks a schema and reports every place of a bad one that is wrong; a [Cache] keeps what was compiled.
// [Schema.Validate] reports where data doesn't conform; a [Session] does so for the events of one request. [Breaks]
// compares two versions. [ParseCatalogue] reads a document of event types; [Catalogue] returns those under catalogues/,
// which are documents of the same form.
//
// # Schemas
//
// A schema is one document, at most [MaxSchemaBytes] long, of JSON Schema 2020-12, 2019-09 or draft 7. $schema at the top
// decides; without it, 2020-12. Unknown keywords and unknown formats are annotations. Formats are asserted. Each of these
// differs from the standard on purpose; they are the groups of the official test suite that suite_test.go names:
//
//   - $ref leads to a place in the same document, by pointer, anchor or an $id within it. Nothing is loaded, not even a
//     metaschema, and nothing beneath an unknown keyword or an annotation is a schema (refRemote, refOfUnknownKeyword,
//     cross-draft, references to a metaschema in ref, defs and definitions).
//   - $dynamicRef, $dynamicAnchor, $recursiveRef and $recursiveAnchor are refused: where they lead depends on who asks,
//     which the cost of a validation can't be counted for (dynamicRef, recursiveRef, two groups of unevaluatedItems and
//     unevaluatedProperties).
//   - $schema names one of the three dialects: metaschemas and vocabularies of one's own are refused, as are two dialects
//     in one document (vocabulary, format-assertion).
//   - Formats are asserted in all dialects, where 2019-09 and 2020-12 take them for annotations (format.json).
//   - contentEncoding, contentMediaType and contentSchema are for receivers and aren't checked (content.json of draft 7).
//
// Beyond the suite:
//
//   - Regular expressions are those of ECMA 262 that can be matched in linear time: no look-around and no back-references.
//     They have at most 1,000 bytes and 500 instructions, and those of a schema 50,000 instructions together.
//   - Format regex accepts look-around and back-references, and checks the rest by the syntax of ECMA 262.
//   - Numbers have at most 100 digits and an exponent of at most 400, in schemas and in data.
//
// # Catalogues
//
// A catalogue is {"event_types": [...]}. Members of an event type:
//
//	name         such as "offer.issued"
//	version      of the schema, such as "v1"; a name may occur with several, the older ones first
//	schema       of the events' data
//	description  optional
//	examples     optional: data that conforms to the schema
//	deprecated   optional: why producers should no longer send it, and what they should
//
// The types of members in sparkbox's catalogue aren't checked strictly, since its vendor publishes names and no types.
//
// # Decisions
//
// The library's loader is replaced by one that refuses: its own reads files, and a schema would then say different things
// on different machines. References are resolved here first, so that a fault has its place.
//
// Unknown keywords are annotations, as the standard has it, and so are unknown formats. Superseded: to refuse them, so
// that "requierd" is found at once. Documents in use carry keywords of their own, and were turned away.
//
// The formats are checked here where the library's checks differ from the standards that define them: net/url accepts
// URIs with spaces and braces, and refuses templates of RFC 6570.
//
// Numbers are never floats: the library computes with exact fractions. It takes memory by a number's value, not by its
// length, and doesn't survive what math/big refuses (an exponent beyond a million); hence the bound on exponents.
//
// A validation is counted before it is done, by walking data and schema as a validator would that stops nowhere early:
// at most 250,000 steps, a step being one subschema tried on one value, or what takes as long. Beyond that the data is
// refused as too much. The library can't be interrupted, and a schema of a few lines takes 2^64 steps on data nested 64
// deep; the context is looked at while the steps are counted, and between one event and the next. Rejected: a deadline,
// which can't stop the library and depends on the machine; refusing recursion, which trees need. Consequence: uniqueItems
// goes to some 1,000 elements, because the library compares elements each with each if their hashes are the same.
// Ordinary data of the largest size takes a tenth of the steps.
//
// The events of a request share [RequestSteps]. A schema's compilation counts too, by its subschemas and regular
// expressions, once a request, whether or not the cache had it: a verdict mustn't depend on what others did before. A
// tenant has a share of the cache, and of the compilations, validations and comparisons under way; what waits for its
// turn ends with its context. A catalogue has a budget of its own, [CatalogueSteps].
//
// A schema that tries more than 1,000 subschemas on one value is refused when it is compiled.
//
// Texts name what the schema wants and never a value of the data, because they are logged. Places name members, as they
// must: secrets don't belong in a member's name.
//
// propertyNames is checked by an extension of our own: the place in the library's error is overwritten by what is
// looked at next.
//
// Breaks is sound: when it returns nothing, what is valid under the new schema is valid under the old one. It compares
// the old schema keyword by keyword with the new one, through $ref and allOf. What is beneath anyOf, oneOf, not, if,
// contains, dependentSchemas, unevaluatedProperties or unevaluatedItems must be the same, or counts as breaking; the answer
// says that this may be overridden. Other false alarms: a pattern or format that is narrower but differs, and a rule that
// the new schema keeps only by another of its keywords. Rejected: a proof over alternatives, which took a thousand lines
// for few changes. Beyond validity, a member that is no longer named has been removed, and that breaks: a receiver may
// rely on it even if it was optional.
package schema
