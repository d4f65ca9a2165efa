package coordinator

import (
	"io"
	"time"

	"github.com/disnix-go/disnix/coordinator/plan"
)

// Reporter is told what a deployment does, while it does it. Its methods are
// called from several goroutines.
type Reporter interface {
	// Progress reports what the run as a whole does now; target is empty for
	// the coordinator itself. The texts are those of the original
	// (transition page), without their prefix.
	Progress(target, message string)
	// Problem reports something that went wrong or deserves attention; target
	// is empty for the coordinator itself.
	Problem(target, message string)
	// Notice reports text for the user without any prefix, such as advice
	// after a failure.
	Notice(text string)
	// PlanReady announces the steps that will now be executed.
	PlanReady(steps []*plan.Step)
	// StepStarted and StepFinished enclose the execution of a step.
	StepStarted(step *plan.Step)
	StepFinished(step *plan.Step, elapsed time.Duration, err error)
	// Output returns where the plugins and tools of a target print.
	Output(target string) io.Writer
}
