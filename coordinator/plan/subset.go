package plan

// Subset returns copies of those of the steps that are still to be carried
// out, numbered from 0, in the same order. What they come after is taken as
// done if it is not among them. The steps are in the order of a plan, and
// their IDs are consecutive.
func Subset(steps []*Step, wanted func(s *Step) bool) []*Step {
	var subset []*Step
	number := make(map[int]int, len(steps))
	for _, s := range steps {
		if !wanted(s) {
			continue
		}
		step := *s
		step.ID = len(subset)
		step.After = nil
		for _, before := range s.After {
			if id, ok := number[before]; ok {
				step.After = append(step.After, id)
			}
		}
		number[s.ID] = step.ID
		subset = append(subset, &step)
	}
	return subset
}
