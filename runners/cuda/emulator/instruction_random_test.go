package emulator

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The kernels' instructions with random operands: each is an error or runs, and none panics.
func TestAnyOperands(t *testing.T) {
	opcodes := map[string]bool{"atom.shared.cas.b32": true, "barrier.sync": true, "bfi.b32": true, "lop3.b32": true, "mbarrier.inval.shared.b64": true}
	files, err := filepath.Glob(filepath.Join("..", "kernels", "*.ptx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		m, err := Parse(source(t, strings.TrimSuffix(filepath.Base(file), ".gz")))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range m.kernels {
			for _, i := range k.code {
				text := i.text
				if strings.HasPrefix(text, "@") {
					_, text, _ = strings.Cut(text, " ")
				}
				text, _, _ = strings.Cut(text, " ")
				opcodes[strings.TrimSuffix(text, ";")] = true
			}
		}
	}
	delete(opcodes, "}")
	delete(opcodes, "bra")
	delete(opcodes, "bra.uni")
	operands := []string{"%r2", "%r3", "%rd1", "%rd2", "%rd5", "%f1", "%fd1", "%p1", "!%p2", "%rs1", "_", "0", "1", "16", "-1", "0x123456789", "0f3F800000", "0d3FF0000000000000",
		"room", "nowhere", "%tid.x", "[%rd1]", "[%rd2+8]", "[%r2]", "[room]", "[room+4]", "[16]", "[test_param_0]", "[%r1+1024]", "{%r1, %r2}", "{%r1, _}", "{%f1, %f2, %f3, %f4}",
		"{%rs1, %rs2}", "{%rd1, %rd2}", "{}", "%p1|%p2", "%r1|%p3", "{%r1, %r2, %r3, %r4}"}
	old := stallBudget
	stallBudget = 1 << 10
	defer func() { stallBudget = old }()
	random := rand.New(rand.NewPCG(13, 14))
	names := slices.Sorted(maps.Keys(opcodes))
	ran := 0
	for range 50 {
		for _, name := range names {
			var list []string
			for range random.IntN(6) {
				list = append(list, operands[random.IntN(len(operands))])
			}
			if _, err := try(t, "setp.gt.u32 %p1, %r1, 7; "+name+" "+strings.Join(list, ", ")+";", 32, 64, nil); err == nil {
				ran++
			}
		}
	}
	if ran == 0 {
		t.Error("no instruction ran")
	}
}
