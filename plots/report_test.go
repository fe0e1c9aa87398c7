package plots

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/results"
)

func TestReport(t *testing.T) {
	needle, lb := needleSet(), longbenchSet(70)
	for i := range lb.Rows {
		if i%97 == 5 && lb.Rows[i].Policy != "full" {
			lb.Rows[i].Prediction = "In the <script>alert(1)</script> of 1999,\naccording to nobody."
		}
	}
	for name, sets := range map[string][]results.Set{"needle": {needle}, "both": {needle, lb}} {
		var b bytes.Buffer
		if err := Report(&b, sets); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, b.Len())
		if dir := os.Getenv("SNAPBENCH_LOOK"); dir != "" {
			os.MkdirAll(dir, 0o755)
			if err := os.WriteFile(filepath.Join(dir, name+".html"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
