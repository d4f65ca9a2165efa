package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
	"github.com/disnix-go/disnix/service"
)

func envProgram() *program {
	return &program{
		name:    "disnix-env",
		summary: "Deploys a system, rolls it back, or removes it",
		synopsis: []string{
			"-s services_nix -i infrastructure_nix -d distribution_nix [-P packages_nix] [OPTION]...",
			"-P packages_nix -i infrastructure_nix [OPTION]...",
			"-A architecture_nix [OPTION]...",
			"-D deployment_nix [OPTION]...",
			"--undeploy -i infrastructure_nix [OPTION]...",
			"--rollback [OPTION]...",
			"--switch-to-generation NUM [OPTION]...",
			"--resume [OPTION]...",
			"--abort [OPTION]...",
			"--list-generations [OPTION]...",
			"--delete-generations SPEC [OPTION]...",
			"--delete-all-generations [OPTION]...",
		},
		description: `
Brings a network of machines into the state that the models describe. It
evaluates the models, builds all packages with Nix, compares the result with
what is deployed, copies what is missing to the targets, and then stops what is
obsolete and starts what is new, in the order of the dependencies. What did not
change is not touched. If a service cannot be started, everything is put back
as it was.

Every deployment is recorded as a generation, to which you can go back.

While it is carried out, a journal is kept. If this program dies, or cannot
bring the system into order, --resume completes the deployment and --abort
undoes it; until then, there can be no other. If one of the targets is gone for
good, --forget leaves it out.`,
		groups: []optionGroup{
			{"Models", append(modelFlags(), interfaceFlag(), targetPropertyFlag())},
			{"Operations", []cli.Flag{
				&cli.BoolFlag{Name: "rollback", Usage: "Goes back to the configuration that was deployed before the present one"},
				&cli.IntFlag{Name: "switch-to-generation", Usage: "Deploys the generation `NUM` again"},
				&cli.BoolFlag{Name: "resume", Usage: "Completes an interrupted deployment, with the options that it was begun with"},
				&cli.BoolFlag{Name: "abort", Usage: "Undoes an interrupted deployment: the former configuration becomes active again"},
				&cli.StringSliceFlag{Name: "forget", Usage: "With --resume or --abort: leaves out the target `TARGET`, which will never answer again; may be given several times"},
				&cli.BoolFlag{Name: "list-generations", Usage: "Lists what was deployed and when"},
				&cli.StringFlag{Name: "delete-generations", Usage: "Deletes the generations of `SPEC`: numbers, '<n>d' for those older than n days, '+<n>' for all but the newest n, or 'old'"},
				&cli.BoolFlag{Name: "delete-all-generations", Usage: "Deletes all generations: nothing is known of the deployed system any more"},
			}},
			{"Preview", []cli.Flag{
				&cli.BoolFlag{Name: "dry-run", Usage: "Shows what would be deactivated, activated and kept, and why, without building or touching anything"},
				&cli.BoolFlag{Name: "json", Usage: "Prints the preview or the list of generations as JSON"},
				&cli.BoolFlag{Name: "detailed-exitcode", Usage: "With --dry-run: exits with 2 if something would change, and with 0 if not"},
			}},
			{"Options", append([]cli.Flag{
				profileFlag(),
				coordinatorProfilePathFlag(),
				transfersFlag(),
				concurrencyFlag(),
				buildOnTargetsFlag(),
				noUpgradeFlag(),
				noLockFlag(),
				forceLockFlag(),
				noCoordinatorProfileFlag(),
				noTargetProfilesFlag(),
				&cli.BoolFlag{Name: "no-migration", Usage: "Does not migrate state, nor checks whether that is possible"},
				deleteStateFlag(),
			}, migrationFlags()...)},
		},
		exitStatus: deployExitStatus(),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable,
			deployStateVariable, deleteStateVariable, nixStateVariable, temporaryVariable},
		examples: []entry{
			{"disnix-env -s services.nix -i infrastructure.nix -d distribution.nix --dry-run", "See what would be done:"},
			{"disnix-env -s services.nix -i infrastructure.nix -d distribution.nix", "Deploy, or upgrade what is deployed:"},
			{"disnix-env --rollback", "Go back to the configuration before:"},
			{"disnix-env --resume", "Complete a deployment that was interrupted:"},
			{"disnix-env --undeploy -i infrastructure.nix", "Remove everything from the machines:"},
		},
		action: runEnv,
	}
}

func deployExitStatus() []entry {
	return []entry{
		{"0", "The system is deployed as described"},
		{"1", "Something failed: the former configuration is still deployed, or deployed again"},
		{"2", "The new services are active, but the migration of state failed; the messages say which command completes it"},
		{"3", "The deployment failed, and it could not be undone completely; the messages say what is where, and how to go on"},
	}
}

func runEnv(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	if inv.Bool("detailed-exitcode") && !inv.Bool("dry-run") {
		return usageError{errors.New("option '--detailed-exitcode' needs '--dry-run'")}
	}
	s, err := inv.newSession()
	if err != nil {
		return err
	}
	defer s.Close()
	operation := inv.last("rollback", "switch-to-generation", "resume", "abort", "list-generations", "delete-generations", "delete-all-generations")
	if inv.Bool("json") && !inv.Bool("dry-run") && operation != "list-generations" {
		return usageError{errors.New("option '--json' needs '--dry-run' or '--list-generations'")}
	}
	if err := s.checkBefore(operation); err != nil {
		return err
	}
	switch operation {
	case "resume", "abort":
		return s.endUnfinished(operation == "abort")
	case "list-generations":
		return s.listGenerations()
	case "delete-generations":
		return s.deleteGenerations()
	case "delete-all-generations":
		return service.DeleteAllGenerations(s.profileDir, s.profile)
	case "rollback":
		path, err := coordinator.RollbackManifest(s.profileDir, s.profile)
		if errors.Is(err, coordinator.ErrNoPreviousDeployment) {
			return fail("[coordinator]: %w", err)
		}
		return s.deployGeneration(path, err)
	case "switch-to-generation":
		number, err := s.number("switch-to-generation", 1)
		if err != nil {
			return err
		}
		return s.deployGeneration(coordinator.GenerationManifest(s.profileDir, s.profile, number))
	default:
		return s.deployModels()
	}
}

// checkBefore refuses operations that are not possible now.
func (s *session) checkBefore(operation string) error {
	if len(s.StringSlice("forget")) > 0 && operation != "resume" && operation != "abort" {
		return usageError{errors.New("option '--forget' needs '--resume' or '--abort'")}
	}
	switch operation {
	case "resume", "abort":
		return s.checkAlone(operation)
	case "", "rollback", "switch-to-generation":
		if !s.Bool("dry-run") {
			return s.checkUnfinished()
		}
	}
	return nil
}

func (s *session) listGenerations() error {
	if !s.Bool("json") {
		list, err := service.ListGenerations(s.profileDir, s.profile)
		if err != nil {
			return err
		}
		fmt.Fprint(s.stdout, list)
		return nil
	}
	generations, err := service.Generations(s.profileDir, s.profile)
	if err != nil {
		return err
	}
	return s.printJSON(generations)
}

func (s *session) deleteGenerations() error {
	deleted, err := service.DeleteGenerations(s.Context.Context, s.profileDir, s.profile, s.String("delete-generations"))
	for _, g := range deleted {
		fmt.Fprintf(s.stderr, "removing generation %d\n", g.Number)
	}
	return err
}

// deployGeneration deploys the manifest of an earlier generation.
func (s *session) deployGeneration(path string, err error) error {
	if err != nil {
		return err
	}
	manifest, err := readManifest(path)
	if err != nil {
		return err
	}
	if s.Bool("dry-run") {
		return s.previewEnv(manifest)
	}
	return s.deployEnv(path, manifest)
}

// deployModels evaluates, builds and deploys the models.
func (s *session) deployModels() error {
	in, err := s.selectModels()
	if err != nil {
		return err
	}
	if !s.Bool("json") {
		s.reporter.Progress("", "Building manifest...")
	}
	in.Log = s.buildLog()
	system, err := evaluation.Evaluate(s.Context.Context, in)
	if err != nil {
		return err
	}
	s.warn(system)
	if s.Bool("dry-run") {
		return s.previewEnv(system.Manifest)
	}
	previous, previousPath, err := s.deployedManifest()
	if err != nil {
		return err
	}
	d, err := s.completeDeployment(system.Manifest, previous)
	if err != nil {
		return err
	}
	// Nobody wants to wait for a build that cannot be deployed.
	if err := d.Targets.Connect(s.Context.Context, system.Manifest.Infrastructure); err != nil {
		return err
	}
	if err := s.delegate(s.Context.Context, system, d.Targets); err != nil {
		return err
	}
	if d.ManifestPath, d.Manifest, err = system.Build(s.Context.Context); err != nil {
		return err
	}
	d.PreviousPath = previousPath
	return deployStatus(d.Deploy(s.Context.Context))
}

// deployedManifest returns the manifest of the newest generation, or nil.
func (s *session) deployedManifest() (*models.Manifest, string, error) {
	newest, err := coordinator.NewestGeneration(s.profileDir, s.profile)
	if err != nil {
		return nil, "", err
	}
	return s.previousManifest(newest)
}

func (s *session) deployEnv(path string, manifest *models.Manifest) error {
	previous, previousPath, err := s.deployedManifest()
	if err != nil {
		return err
	}
	return s.deploy(manifest, path, previous, previousPath)
}

// deploy carries out all phases of a deployment.
func (s *session) deploy(manifest *models.Manifest, path string, previous *models.Manifest, previousPath string) error {
	d, err := s.completeDeployment(manifest, previous)
	if err != nil {
		return err
	}
	d.ManifestPath, d.PreviousPath = path, previousPath
	return deployStatus(d.Deploy(s.Context.Context))
}

// completeDeployment assembles a deployment with all of its options.
func (s *session) completeDeployment(manifest, previous *models.Manifest) (*coordinator.Deployment, error) {
	var options coordinator.Options
	if err := s.transitionOptions(&options); err != nil {
		return nil, err
	}
	var err error
	if options.Migration, err = s.migrationOptions(); err != nil {
		return nil, err
	}
	d, err := s.deployment(manifest, previous, options)
	if err != nil {
		return nil, err
	}
	d.PreviousIsLatest = s.String("old-manifest") == ""
	d.Purpose = s.name
	if !options.NoCoordinatorProfile { // otherwise nothing is recorded here
		d.Journal = s.journalPlace()
	}
	return d, nil
}

// previewEnv prints what a deployment of the manifest would do.
func (s *session) previewEnv(manifest *models.Manifest) error {
	previous, _, err := s.deployedManifest()
	if err != nil {
		return err
	}
	return s.preview(manifest, previous)
}

// exitChanges is the exit status of a preview that has changes, if asked for.
const exitChanges = 2

func (s *session) preview(manifest, previous *models.Manifest) error {
	p, err := plan.New(previous, manifest, plan.Options{NoUpgrade: s.Bool("no-upgrade")})
	if err != nil {
		return err
	}
	if s.Bool("json") {
		err = s.printJSON(p)
	} else {
		err = p.WriteText(s.stdout)
	}
	if err == nil && s.Bool("detailed-exitcode") && len(p.Execution()) > 0 {
		return quiet(exitChanges)
	}
	return err
}

func (inv *invocation) printJSON(value any) error {
	encoder := json.NewEncoder(inv.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// manifestPath returns a manifest's path in the form that Nix takes for a
// path, not for a name.
func manifestPath(path string) (string, error) { return filepath.Abs(path) }

// deployStatus turns the error of a deployment, which has been reported
// already, into an exit status.
func deployStatus(err error) error {
	var failed *coordinator.DeployError
	if errors.As(err, &failed) {
		return quiet(failed.ExitCode())
	}
	return err
}
