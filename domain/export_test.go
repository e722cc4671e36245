package domain

// Kinds returns every kind this program knows, in no order.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(forms))
	for k := range forms {
		kinds = append(kinds, k)
	}
	return kinds
}
