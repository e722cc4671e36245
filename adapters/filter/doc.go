// Package filter decides by a subscription's content filter, an expression in CEL, whether an event goes to its endpoint.
//
// # Expressions
//
// A filter is at most [MaxSourceBytes] long and gives a bool. It reads
//
//	id, source, type, subject, schema_version   text; empty when the event has none
//	occurred_at                                 timestamp; an error for events whose producer named no time
//	extensions                                  map of text: the CloudEvents extension attributes
//	data                                        the event's data, decoded
//
// with CEL's operators and functions, has, all, exists, exists_one and filter, optional values, and of the strings
// extension charAt, lowerAscii, upperAscii, split, substring and trim:
//
//	data.amount > 100 && subject.startsWith("customer-")
//	data.?customer.?country.orValue("") in ["DE", "AT"]
//	data.items.exists(i, i.sku.matches("^A[0-9]+$"))
//	extensions[?"region"] == optional.of("eu") && occurred_at.getFullYear() >= 2026
//
// What isn't there is an error, and with an error the filter has failed, which the routing fact tells from one that didn't
// match. Members that may be missing are asked for with has(data.a) or data.?a.orValue(…).
//
// A number in data is a double, whether it was written 10, 10.0 or 1e1; an integer of 2^53 and more in magnitude, that was
// written without fraction or exponent and fits, is an int (uint above 2^63-1) and so keeps all its digits. Comparisons
// and == work across the three, so data.amount > 100 and data.id == 9007199254740993 are both exact. Arithmetic doesn't:
// data.amount * 2.0, or int(data.count) % 2. Larger integers are compared as the nearest double.
//
// # Decisions
//
// Filters are CEL: typed when the subscription is made, without side effects, without a clock, and with a cost that can
// be limited. Rejected: expr (types are checked less), a pattern language of our own (less than receivers ask for).
// Consequence: the same event and filter always decide the same, on every node and in a replay.
//
// Small numbers are doubles. JSON doesn't tell 10 from 10.0 and producers change from one to the other with the value.
// Rejected: an int for what is written like one, because data.price * 1.1 would then work for 10.5 and fail for 10.
//
// The cost limit is what stops an evaluation; the deadline behind it is a last resort and so long that a busy machine
// doesn't reach it, since an event would be skipped by chance. CEL charges a call after it was made. A single call must
// therefore be short by itself, and so: regular expressions are literals, of limited size, on limited text; lists and maps
// are written with literals only and map() is missing, so that no value can hold another twice and grow exponentially;
// functions that build text out of others' product (join, replace, format) or search in quadratic time (indexOf) are
// refused; comparing and joining lists is charged by what they hold, not by their length.
//
// An error names kind and place, never a value: it may be logged, and event data may not.
package filter
