// Package filter decides by a subscription's content filter, an expression in CEL, whether an event goes to its
// endpoint.
//
// # Expressions
//
// A filter is at most [MaxSourceBytes] long and gives a bool. It reads what the API shows of an event:
//
//	id, source, type, schema_version   text, with the defaults filled in
//	subject                            text; empty when the event has none
//	occurred_at                        timestamp; when the event was recorded, if its producer named no time
//	extensions                         map: the CloudEvents extension attributes, texts, Booleans and integers
//	data                               the event's data, decoded; null when the event has none
//
// with CEL's operators and functions, has, all, exists, exists_one and filter, optional values, and of the strings
// extension charAt, lowerAscii, upperAscii, split, substring and trim:
//
//	data.amount > 100 && subject.startsWith("customer-")
//	data.?customer.?country.orValue("") in ["DE", "AT"]
//	data.items.exists(i, i.sku.matches("^A[0-9]+$") && i.quantity * i.price > 99.5)
//	extensions[?"region"] == optional.of("eu") && occurred_at.getFullYear() >= 2026
//
// A missing member is an error, and with an error the filter has failed, which the routing tells from one that didn't
// match. Members that may be missing are asked for with has(data.a) or data.?a.orValue(…).
//
// An event is routed before the time of its recording is known. For an event without a time of its own, occurred_at is
// therefore the clock of the server that accepts it, some milliseconds before the recorded_at that it is read back
// with.
//
// # Numbers
//
// A number in data that is written with digits only is an int, whatever its magnitude; one with a fraction or an
// exponent (10.0, 1e1) is a double. The two mix, literals of either kind too and on either side:
//
//   - Comparisons, == and in go by the exact values, also within lists and maps: 10 == 10.0, and 9007199254740993 is more
//     than 9007199254740992.0.
//   - Arithmetic with a double on one side is that of doubles. Arithmetic of integers is exact and never wraps around:
//     beyond 64 bits it continues, up to 400 digits, and past them the filter fails. As everywhere in CEL, integers divide
//     towards zero (5 / 2 == 2, and 5 / 2.0 == 2.5), and % is for integers: int(data.count) % 2 for a count that may be
//     written 4.0.
//   - string() writes the digits without an exponent: string(data.id) == "186853002", of 1e21 too.
//   - int() takes a double's whole part and a text's digits beyond 64 bits as well.
//
// A literal has 64 bits (18446744073709551615u at most). Larger integers are compared as text or as doubles, and with
// one another. Where the types of both sides are known beforehand and differ, as in size(data.items) == 2.0, the filter
// is refused when it is made and the error says what to write.
//
// # Budgets
//
// A filter may cost 100,000 units, of about one operation each, and the filters of one event together
// [domain.EventFilterBudget]. [domain.FilterRun] adds up what they really cost: what CEL charges, corrected in
// cost.go, and 10 units for being asked. Past the budget a filter isn't asked any more ([domain.ErrFilterBudget]).
// Cost depends on nothing but the expression and the event, so it is the same on every node.
//
// # Decisions
//
// Filters are CEL: typed when the subscription is made, without side effects, without a clock, and with a cost that can
// be limited. Rejected: expr (types are checked less), a pattern language of our own (less than receivers ask for).
// Consequence: the same event and filter always decide the same, on every node and in a replay.
//
// Integers and fractions are two types by how they are written, and mix. Superseded: doubles for all numbers below
// 2^53, since the type of a number then depended on its size: string(data.id) gave an exponent, and data.n + 1 worked
// for large numbers only. Rejected: integers by value (10.0 is one), since data.price / 2 would then give 5 for 11.0
// and 5.25 for 10.5. Consequence: what CEL has for numbers is replaced (arithmetic.go, compare.go, convert.go), also
// for Uint, which only a literal such as 1u or uint() gives.
//
// The cost limit is what stops an evaluation. There is no time limit, by which an event would be skipped by chance: the
// caller's context ends an evaluation too, and then nothing was decided. CEL charges a call after it was made. A single
// call must therefore be short by itself, and so: regular expressions are literals, of limited size, on limited text;
// lists and maps are written with literals only and map() is missing, so that no value can hold another twice and grow
// exponentially; functions that build text out of others' product (join, replace, format) or search in quadratic time
// (indexOf) are refused; comparing and joining lists is charged by what they hold, not by their length.
//
// An error names kind and place, never a value: it may be logged, and event data may not.
package filter
