package views

// RebuildBy sets how many entries a page of a rebuild has.
func (v *Views) RebuildBy(entries int) { v.refold.entries = entries }
