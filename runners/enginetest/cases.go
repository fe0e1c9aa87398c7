package enginetest

import (
	"reflect"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// operation is a subtest, and the methods of a device that it tests: it calls each of them,
// and holds the results to the reference or to the interface's description.
type operation struct {
	name    string
	run     func(*bench)
	methods string // separated by blanks
}

// cases are all operations, in the order in which they run.
var cases = []operation{
	{"description", description, "Name Type Describe"},
	{"arrays", arrays, "Put PutInts Get GetInts Copy"},
	{"memory", memoryAccount, "New Free Memory ResetPeak Trim"},
	{"errors", errors, ""},
	{"weights", weights, "LoadWeight FreeWeight"},
	{"weights with NaN", packedNaN, "LoadWeight"},
	{"vector", vector, "LoadVector"},
	{"embed", embed, "Embed Sync"},
	{"rms norm", rmsNorm, "RMSNorm RMSNormAdd"},
	{"matmul", matMul, "MatMul MatMulAdd"},
	{"matmul storages", matMulStorages, "MatMul MatMulAdd"},
	{"gate", gate, "Gate"},
	{"mixture", mixture, "MixtureAdd"},
	{"matmul gate", matMulGate, "MatMulGate"},
	{"matmul rotate", matMulRotate, "MatMulRotate"},
	{"rotate", rotate, "NewRotary FreeRotary Rotate"},
	{"attention", attention, "Attention"},
	{"window scores", windowScores, "WindowScores"},
	{"column sums", columnSums, "ColumnSums AttentionColumnSums"},
	{"attention rows", attentionRows, "AttentionRows"},
	{"attention ways", attentionWays, "Attention"},
	{"window scores ways", windowScoresWays, "WindowScores"},
	{"column sums ways", columnSumsWays, "ColumnSums AttentionColumnSums"},
	{"attention rows ways", attentionRowsWays, "AttentionRows"},
	{"row norms", rowNorms, "RowNorms"},
	{"weighted rows", weightedRows, "WeightedRows"},
	{"row dots", rowDots, "RowDots"},
	{"group scores", groupScores, "GroupScores"},
	{"combine scores", combineScores, "CombineScores"},
	{"chunk means", chunkMeans, "ChunkMeans"},
	{"count above", countAbove, "CountAbove"},
	{"highest sums", highestSums, "HighestSums"},
	{"pool scores", poolScores, "PoolScores"},
	{"select", selectRows, "Select"},
	{"select counts", selectCounts, "Select"},
	{"gather", gather, "Gather FreeCache"},
	{"batch", decode, "NewBatch FreeBatch RotateAppend AttendCaches Advance Replay"},
	{"batch ways", decodeWays, "NewBatch FreeBatch RotateAppend AttendCaches Advance Replay"},
	{"packed caches", packed, "Quantizes Quantize GatherQuantized Unstored CacheRows Refused"},
	{"packed caches ways", packedWays, "Quantizes Quantize GatherQuantized AttendCaches"},
	{"step", decodeStep, "Step Replay Companions"},
	{"cap", softCap, "Cap"},
	{"linear attention", linear, "LinearAttention GateOutput"},
	{"linear attention steps", linearSteps, "AttendStates LinearAttention"},
	{"argmax", argMax, "ArgMax"},
	{"divergence", divergence, "Divergence"},
}

// interfaces are engine.Device and the interfaces that a device may also implement.
var interfaces = []reflect.Type{
	reflect.TypeFor[engine.Device](), reflect.TypeFor[engine.Fuser](), reflect.TypeFor[engine.Stepper](), reflect.TypeFor[engine.Companion](),
	reflect.TypeFor[engine.Trimmer](), reflect.TypeFor[engine.Quantizer](), reflect.TypeFor[engine.GatherQuantizer](), reflect.TypeFor[engine.LinearAttender](),
}

// withoutCase are methods that no case can call, and why.
var withoutCase = map[string]string{"Close": "the device is the caller's, and is used after the suite"}

// uncovered names the methods of interfaces that no case tests.
func uncovered(interfaces []reflect.Type, cases []operation) []string {
	covered := map[string]bool{}
	for _, c := range cases {
		for _, m := range strings.Fields(c.methods) {
			covered[m] = true
		}
	}
	var left []string
	for _, i := range interfaces {
		for n := range i.NumMethod() {
			m := i.Method(n).Name
			if !covered[m] && withoutCase[m] == "" {
				left = append(left, i.String()+"."+m)
			}
		}
	}
	return left
}
