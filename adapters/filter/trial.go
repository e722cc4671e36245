package filter

import "github.com/hooktrail/hooktrail/domain"

// Compile makes a filter for a trial, apart from those that are kept. Like Check it refuses what isn't one; an error of the
// function means what an error of Match means. The function is not safe for concurrent use.
func (f *Filters) Compile(src string) (func(e *domain.EventAppended) (bool, error), error) {
	p, err := compile(f.env, src)
	if err != nil {
		return nil, err
	}
	trial := &Filters{env: f.env} // with a last event of its own
	return func(e *domain.EventAppended) (bool, error) { return trial.eval(p, e) }, nil
}
