package domain

import "strconv"

// HeaderHops is the header with which every webhook says how many webhooks led to it, itself included. Who appends an
// event because of a webhook passes it on, so that webhooks which append events end, within one instance and between
// several.
const HeaderHops = "Hooktrail-Hops"

// MaxHops is how many webhooks, one because of the other, may lead to an event that is still routed. A chain so has at
// most MaxHops+1 webhooks. That is enough for instances that relay events to one another; endpoints that append to an
// instance itself multiply events, and with four of them one event makes at most 4+16+64+256 others.
const MaxHops = 3

// Loops reports whether too many webhooks led to an event: it is appended, and not routed.
func (c EventClass) Loops() bool { return c.Hops > MaxHops }

// FormatHops writes the header of the webhooks of an event to which a number of webhooks led.
func FormatHops(hops int) string { return strconv.Itoa(min(max(hops, 0), MaxHops+1) + 1) }

// ParseHops reads the header that came with an event: how many webhooks led to it; 0 without the header. What is more
// than MaxHops is MaxHops+1, however large.
func ParseHops(value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			return 0, Invalid(HeaderHops, "must be a number of webhooks in decimal digits")
		}
	}
	hops, err := strconv.Atoi(value)
	if err != nil || hops > MaxHops { // the error can only be that no int holds it
		return MaxHops + 1, nil
	}
	return hops, nil
}
