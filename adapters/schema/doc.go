// Package schema checks events' data against the JSON Schema of their type, says what a new version of a schema breaks
// for receivers of the old one, and brings catalogues of event types along.
//
// [Compile] checks a schema and says of a bad one every place that is wrong; a [Cache] keeps what was compiled.
// [Schema.Validate] says where data isn't as the schema wants. [Breaks] compares two versions. [ParseCatalogue] reads a
// document of event types; [Catalogue] returns those under catalogues/, which are documents of the same form.
//
// # Schemas
//
// A schema is one document of JSON Schema 2020-12, at most [MaxSchemaBytes] long. All its keywords are in force, formats
// included, except that
//
//   - $ref leads to a place in the same document ("#", "#/$defs/money", "#money"); $id may stand at the top and says
//     nothing; $dynamicRef and $dynamicAnchor are refused;
//   - an unknown keyword is refused unless it begins with "x-", and so is an unknown format;
//   - regular expressions are those of RE2, at most 1,000 bytes and 500 instructions long;
//   - numbers have at most 100 digits and an exponent of at most 400, in schemas and in data;
//   - contentEncoding, contentMediaType and contentSchema are notes for receivers and aren't checked.
//
// # Catalogues
//
// A catalogue is {"event_types": [...]}. Members of an event type:
//
//	name         such as "offer.issued"
//	version      of the schema, such as "v1"; a name may stand with several, the older ones first
//	schema       of the events' data
//	description  optional
//	examples     optional: data that conforms to the schema
//	deprecated   optional: why producers should no longer send it, and what they should
//
// The types of members in sparkbox's catalogue are taken loosely, since its vendor publishes names and no types.
//
// # Decisions
//
// The library's loader is replaced by one that refuses: its own reads files, and a schema would then say different things
// on different machines. References are resolved here first, so that a fault has its place.
//
// What isn't checked must not look as if it were. So a misspelt keyword or an unknown format is refused rather than
// ignored, as the standard would have it. Rejected: to follow the standard, which lets "requierd" pass for ever.
//
// Numbers are never floats: the library computes with exact fractions. It takes memory by a number's value, not by its
// length, and doesn't survive what math/big refuses (an exponent beyond a million); hence the bound on exponents.
//
// A validation is counted before it is done, by walking data and schema as a validator would that stops nowhere early:
// at most 250,000 steps, a step being one subschema tried on one value, or what takes as long. Beyond that the data is
// refused as too much. The library can't be interrupted, and a schema of a few lines takes 2^64 steps on data nested 64
// deep. Rejected: a deadline, which can't stop the library and depends on the machine; refusing recursion, which trees
// need. Consequence: uniqueItems goes to some 1,000 elements, because the library compares elements each with each if
// they are made so that their hashes are the same. Ordinary data of the largest size takes a tenth of the steps.
// A schema that tries more than 1,000 subschemas on one value is refused when it is compiled.
//
// Format "regex" is refused: it would compile what stands in an event.
//
// Texts name what the schema wants and never what stood in the data, because they are logged. Places name members,
// as they must: what is secret doesn't belong into a member's name.
//
// propertyNames is checked by an extension of our own: the place in the library's error is overwritten by what is
// looked at next.
//
// Breaks is sound: when it says nothing, what is valid under the new schema is valid under the old one. It proves that by
// going through the old schema rule by rule; what it can't prove it calls breaking. So these are false alarms: a pattern
// or format that is narrower but differs; alternatives of oneOf that don't exclude one another by type or by a required
// member with fixed values, unless they are the same; not, unevaluatedProperties and unevaluatedItems, unless they are the
// same; a rule that the new schema keeps only by several of its own together, such as a minimum on integers written as an
// exclusive bound; schemas of many hundred alternatives. Beyond validity, a member that is no longer named has been
// removed, and that breaks: a receiver may rely on it even if it was optional.
package schema
