package plan

import "github.com/disnix-go/disnix/models"

// Arguments renders container properties as key=value, sorted, as plugins
// expect them.
func Arguments(properties models.Properties) []string { return renderArguments(properties) }
