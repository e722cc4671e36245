// Package schema checks events' data against the JSON Schema of their type, reports what a new version of a schema
// breaks for receivers of the old one, and contains catalogues of event types.
//
// [Compile] checks a schema and reports every place of a bad one that is wrong; a [Cache] keeps what was compiled.
// [Schema.Validate] reports where data doesn't conform; a [Session] does so for the events of one request. [Breaks]
// compares two versions. [ParseCatalogue] reads a document of event types; [Catalogue] returns those under catalogues/,
// which are documents of the same form.
//
// # Schemas
//
// A schema is one document, at most [MaxSchemaBytes] long, of JSON Schema 2020-12, 2019-09 or draft 7. $schema at the
// top decides; without it, 2020-12. Unknown keywords and unknown formats are annotations. Formats are asserted. Each of
// these differs from the standard on purpose; the cases of the official test suite that it concerns are listed at the
// end:
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
// The library's loader is replaced by one that refuses: its own reads files, and a schema would then say different
// things on different machines. References are resolved here first, so that a fault has its place.
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
// which can't stop the library and depends on the machine; refusing recursion, which trees need. Consequence:
// uniqueItems goes to some 1,000 elements, because the library compares elements each with each if their hashes are the
// same. Ordinary data of the largest size takes a tenth of the steps.
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
// contains, dependentSchemas, propertyNames, unevaluatedProperties or unevaluatedItems must be the same, or counts as
// breaking; the answer says which place, and that a new version of the schema overrides that. Other false alarms: a
// rule that isn't a number's bound, such as a pattern, and is narrower but differs, and a rule that the new schema
// keeps only by another of its keywords. Rejected: a proof over alternatives, which took a thousand lines for few
// changes. Beyond validity, a member that is no longer named has been removed, and that breaks: a receiver may rely on
// it even if it was optional.
//
// # Official test suite
//
// Every case of the official suite (draft 7, 2019-09 and 2020-12, optional cases and formats too) is answered as it
// wants, but for these in one of the drafts at least, by file, group and case. TestSuite reads this list.
//
// contentEncoding and contentMediaType aren't checked; the data is accepted:
//
//	optional/content.json
//	  validation of binary string-encoding
//	    an invalid base64 string (% is not a valid character)
//	  validation of binary-encoded media type documents
//	    a validly-encoded invalid JSON document
//	    an invalid base64 string that is valid JSON
//	  validation of string-encoded content based on media type
//	    an invalid JSON document
//
// Dynamic and recursive references; the schema is refused:
//
//	dynamicRef.json
//	  $dynamicRef avoids the root of each schema, but scopes are still registered
//	    data is not sufficient for schema at second#/$defs/length
//	    data is sufficient for schema at second#/$defs/length
//	  $dynamicRef points to a boolean schema
//	    follow $dynamicRef to a false schema
//	    follow $dynamicRef to a true schema
//	  $dynamicRef skips over intermediate resources - direct reference
//	    integer property passes
//	    string property fails
//	  $ref and $dynamicAnchor are independent of order - $defs first
//	    correct extended schema
//	    incorrect extended schema
//	    incorrect parent schema
//	  $ref and $dynamicAnchor are independent of order - $ref first
//	    correct extended schema
//	    incorrect extended schema
//	    incorrect parent schema
//	  $ref to $dynamicRef finds detached $dynamicAnchor
//	    non-number is invalid
//	    number is valid
//	  A $dynamicRef resolves to the first $dynamicAnchor still in scope that is encountered when the schema is
//	        evaluated
//	    An array containing non-strings is invalid
//	    An array of strings is valid
//	  A $dynamicRef that initially resolves to a schema with a matching $dynamicAnchor resolves to the first
//	        $dynamicAnchor in the dynamic scope
//	    The recursive part is not valid against the root
//	    The recursive part is valid against the root
//	  A $dynamicRef that initially resolves to a schema without a matching $dynamicAnchor behaves like a normal $ref
//	        to $anchor
//	    The recursive part doesn't need to validate against the root
//	  A $dynamicRef to a $dynamicAnchor in the same schema resource behaves like a normal $ref to an $anchor
//	    An array containing non-strings is invalid
//	    An array of strings is valid
//	  A $dynamicRef to an $anchor in the same schema resource behaves like a normal $ref to an $anchor
//	    An array containing non-strings is invalid
//	    An array of strings is valid
//	  A $dynamicRef with a non-matching $dynamicAnchor in the same schema resource behaves like a normal $ref to
//	        $anchor
//	    Any array is valid
//	  A $dynamicRef with intermediate scopes that don't include a matching $dynamicAnchor does not affect dynamic
//	        scope resolution
//	    An array containing non-strings is invalid
//	    An array of strings is valid
//	  A $dynamicRef without a matching $dynamicAnchor in the same schema resource behaves like a normal $ref to
//	        $anchor
//	    Any array is valid
//	  A $dynamicRef without anchor in fragment behaves identical to $ref
//	    An array of numbers is valid
//	    An array of strings is invalid
//	  A $ref to a $dynamicAnchor in the same schema resource behaves like a normal $ref to an $anchor
//	    An array containing non-strings is invalid
//	    An array of strings is valid
//	  An $anchor with the same name as a $dynamicAnchor is not used for dynamic scope resolution
//	    Any array is valid
//	  after leaving a dynamic scope, it is not used by a $dynamicRef
//	    /then/$defs/thingy is the final stop for the $dynamicRef
//	    first_scope is not in dynamic scope for the $dynamicRef
//	    string matches /$defs/thingy, but the $dynamicRef does not stop here
//	  multiple dynamic paths to the $dynamicRef keyword
//	    number list with number values
//	    number list with string values
//	    string list with number values
//	    string list with string values
//	  strict-tree schema, guards against misspelled properties
//	    instance with correct field
//	    instance with misspelled field
//	  tests for implementation dynamic anchor and reference link
//	    correct extended schema
//	    incorrect extended schema
//	    incorrect parent schema
//	optional/dynamicRef.json
//	  $dynamicRef skips over intermediate resources - pointer reference across resource boundary
//	    integer property passes
//	    string property fails
//	recursiveRef.json
//	  $recursiveRef with $recursiveAnchor: false works like $ref
//	    integer does not match as a property value
//	    integer matches at the outer level
//	    single level match
//	    two levels, integer does not match as a property value
//	    two levels, properties match with inner definition
//	  $recursiveRef with nesting
//	    integer matches at the outer level
//	    integer now matches as a property value
//	    single level match
//	    two levels, properties match with $recursiveRef
//	    two levels, properties match with inner definition
//	  $recursiveRef with no $recursiveAnchor in the initial target schema resource
//	    leaf node does not match: recursion uses the inner schema
//	    leaf node does not match; no recursion
//	    leaf node matches: recursion uses the inner schema
//	  $recursiveRef with no $recursiveAnchor in the outer schema resource
//	    leaf node does not match: recursion only uses inner schema
//	    leaf node does not match; no recursion
//	    leaf node matches: recursion only uses inner schema
//	  $recursiveRef with no $recursiveAnchor works like $ref
//	    integer does not match as a property value
//	    integer matches at the outer level
//	    single level match
//	    two levels, integer does not match as a property value
//	    two levels, properties match with inner definition
//	  $recursiveRef without $recursiveAnchor works like $ref
//	    match
//	    mismatch
//	    recursive match
//	    recursive mismatch
//	  $recursiveRef without using nesting
//	    integer does not match as a property value
//	    integer matches at the outer level
//	    single level match
//	    two levels, no match
//	    two levels, properties match with inner definition
//	  dynamic $recursiveRef destination (not predictable at schema compile time)
//	    integer node
//	    numeric node
//	  multiple dynamic paths to the $recursiveRef keyword
//	    recurse to anyLeafNode - floats are allowed
//	    recurse to integerNode - floats are not allowed
//	ref.json
//	  $ref with $recursiveAnchor
//	    extra items allowed for inner arrays
//	    extra items disallowed for root
//	unevaluatedItems.json
//	  unevaluatedItems with $dynamicRef
//	    with no unevaluated items
//	    with unevaluated items
//	  unevaluatedItems with $recursiveRef
//	    with no unevaluated items
//	    with unevaluated items
//	unevaluatedProperties.json
//	  unevaluatedProperties with $dynamicRef
//	    with no unevaluated properties
//	    with unevaluated properties
//	  unevaluatedProperties with $recursiveRef
//	    with no unevaluated properties
//	    with unevaluated properties
//
// Formats are asserted; the data is refused:
//
//	format.json
//	  date format
//	    invalid date string is only an annotation by default
//	  date-time format
//	    invalid date-time string is only an annotation by default
//	  duration format
//	    invalid duration string is only an annotation by default
//	  email format
//	    invalid email string is only an annotation by default
//	  hostname format
//	    invalid hostname string is only an annotation by default
//	  idn-email format
//	    invalid idn-email string is only an annotation by default
//	  idn-hostname format
//	    invalid idn-hostname string is only an annotation by default
//	  ipv4 format
//	    invalid ipv4 string is only an annotation by default
//	  ipv6 format
//	    invalid ipv6 string is only an annotation by default
//	  iri format
//	    invalid iri string is only an annotation by default
//	  iri-reference format
//	    invalid iri-reference string is only an annotation by default
//	  json-pointer format
//	    invalid json-pointer string is only an annotation by default
//	  regex format
//	    invalid regex string is only an annotation by default
//	  relative-json-pointer format
//	    invalid relative-json-pointer string is only an annotation by default
//	  time format
//	    invalid time string is only an annotation by default
//	  uri format
//	    invalid uri string is only an annotation by default
//	  uri-reference format
//	    invalid uri-reference string is only an annotation by default
//	  uri-template format
//	    invalid uri-template string is only an annotation by default
//	  uuid format
//	    invalid uuid string is only an annotation by default
//
// Metaschemas and vocabularies of one's own; the schema is refused:
//
//	optional/format-assertion.json
//	  schema that uses custom metaschema with format-assertion: false
//	    format-assertion: false: invalid string
//	    format-assertion: false: valid string
//	  schema that uses custom metaschema with format-assertion: true
//	    format-assertion: true: invalid string
//	    format-assertion: true: valid string
//	vocabulary.json
//	  ignore unrecognized optional vocabulary
//	    number value
//	    string value
//	  schema that uses custom metaschema with with no validation vocabulary
//	    applicator vocabulary still works
//	    no validation: invalid number, but it still validates
//	    no validation: valid number
//
// References into an unknown keyword or an annotation; the schema is refused:
//
//	optional/refOfUnknownKeyword.json
//	  reference internals of known non-applicator
//	    match
//	    mismatch
//	  reference of a root arbitrary keyword
//	    match
//	    mismatch
//	  reference of a root arbitrary keyword with encoded ref
//	    match
//	    mismatch
//	  reference of an arbitrary keyword of a sub-schema
//	    match
//	    mismatch
//	  reference of an arbitrary keyword of a sub-schema with encoded ref
//	    match
//	    mismatch
//
// References to another document; the schema is refused:
//
//	definitions.json
//	  validate definition against metaschema
//	    invalid definition schema
//	    valid definition schema
//	defs.json
//	  validate definition against metaschema
//	    invalid definition schema
//	    valid definition schema
//	optional/cross-draft.json
//	  refs to future drafts are processed as future drafts
//	    first item is a string is valid
//	    first item not a string is invalid
//	    missing bar is invalid
//	    present bar is valid
//	  refs to historic drafts are processed as historic drafts
//	    first item not a string is valid
//	    missing bar is valid
//	ref.json
//	  remote ref, containing refs itself
//	    remote ref invalid
//	    remote ref valid
//	refRemote.json
//	  $ref to $ref finds detached $anchor
//	    non-number is invalid
//	    number is valid
//	  $ref to $ref finds location-independent $id
//	    non-number is invalid
//	    number is valid
//	  Location-independent identifier in remote ref
//	    integer is valid
//	    string is invalid
//	  anchor within remote ref
//	    remote anchor invalid
//	    remote anchor valid
//	  base URI change
//	    base URI change ref invalid
//	    base URI change ref valid
//	  base URI change - change folder
//	    number is valid
//	    string is invalid
//	  base URI change - change folder in subschema
//	    number is valid
//	    string is invalid
//	  fragment within remote ref
//	    remote fragment invalid
//	    remote fragment valid
//	  ref within remote ref
//	    ref within ref invalid
//	    ref within ref valid
//	  remote HTTP ref with different $id
//	    number is invalid
//	    string is valid
//	  remote HTTP ref with different URN $id
//	    number is invalid
//	    string is valid
//	  remote HTTP ref with nested absolute ref
//	    number is invalid
//	    string is valid
//	  remote ref
//	    remote ref invalid
//	    remote ref valid
//	  remote ref with ref to definitions
//	    invalid
//	    valid
//	  remote ref with ref to defs
//	    invalid
//	    valid
//	  retrieved nested refs resolve relative to their URI not $id
//	    number is invalid
//	    string is valid
//	  root ref in remote ref
//	    null is valid
//	    object is invalid
//	    string is valid
package schema
