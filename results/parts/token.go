package parts

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// TokenVariable holds what TokenFile must hold on a machine that was given a part.
const TokenVariable = "SNAPBENCH_FOLDER"

// TokenFile is a file in a run's folder by which a machine knows that it sees the folder
// which was meant, and not one of its own under the same name.
const TokenFile = ".snapbench-folder"

// CheckToken is an error where the environment says what a run's folder holds, and this
// machine sees another folder or none.
func CheckToken(dir string, env Environment) error {
	want, _ := env(TokenVariable)
	if want == "" {
		return nil
	}
	path := filepath.Join(dir, TokenFile)
	data, err := inputs.ReadFile(path)
	if err != nil {
		return fmt.Errorf("this machine does not see the run's folder, which must be one that all machines share: %w", err)
	}
	if got := strings.TrimSpace(string(data)); got != want {
		return fmt.Errorf("%s: %q, want %q: this machine has another folder under the name of the run's, which must be one that all machines share", path, got, want)
	}
	return nil
}
