package datasets

import (
	_ "embed"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Protocol is a published way to ask LongBench's questions: how a row becomes a prompt, how
// the prompt is cut, and when the answer ends. Scores by different protocols are not
// comparable.
type Protocol struct {
	Name  string
	About string // one line for lists
	// Policy and Budgets are what the protocol's authors ran, as variants spell them;
	// empty where they ran none.
	Policy  string
	Budgets []string

	minNew   func(set string) int // least new tokens
	extraNew int                  // new tokens beyond the benchmark's number
	end      End
	newline  func(set string) bool // a newline token ends the answer
	limit    func(m Model) int     // longest prompt in tokens, 0 for none of its own
	build    func(s *Sample, r prompting) error
}

// protocols are in the order of the documentation.
var protocols = []Protocol{
	{
		Name:    "longbench",
		About:   "as the benchmark's own program: middle cut out, chat template after it, none on six sets",
		minNew:  onSamsum,
		end:     EndOfText,
		newline: isSamsum,
		limit:   longbenchLimit,
		build:   buildMiddle(longbenchTemplate, nil, longbenchLimit, false),
	},
	{
		Name:    "snapkv-repo",
		About:   "as FasterDecoding/SnapKV: the same, at least one new token, Mistral and Mixtral without template",
		Policy:  "snapkv(w=32,k=7,pool=max,gqa=query_head)",
		Budgets: []string{"full", "1024", "2048", "4096"},
		minNew:  onAll,
		end:     EndOfText,
		newline: isSamsum,
		limit:   longbenchLimit,
		build:   buildMiddle(snapkvTemplate, nil, longbenchLimit, false),
	},
	{
		Name:     "kvpress",
		About:    "as NVIDIA/kvpress: the context alone is compressed, the question read through the compressed cache",
		Policy:   "snapkv(w=64,k=5,pool=avg,gqa=kvpress)",
		Budgets:  []string{"full", "75%", "50%", "25%", "12.5%"},
		minNew:   func(string) int { return 0 },
		extraNew: texts().KVPress.ExtraNewTokens,
		end:      EndGeneration,
		newline:  func(string) bool { return false },
		limit:    longbenchLimit,
		build:    buildApart,
	},
	{
		Name:    "factory",
		About:   "as Zefan-Cai/KVCache-Factory: Llama-2's template before the cut, Llama-3's after it, others none",
		Policy:  "snapkv(w=8,k=7,pool=max,gqa=query_head)",
		Budgets: []string{"full", "128", "2048"},
		minNew:  onAll,
		end:     EndOfTextOrTurn,
		newline: isSamsum,
		limit:   factoryLimit,
		build:   buildMiddle(factoryAfter, factoryBefore, factoryLimit, true),
	},
}

func isSamsum(set string) bool { return set == "samsum" }

func onSamsum(set string) int {
	if isSamsum(set) {
		return 1
	}
	return 0
}

func onAll(string) int { return 1 }

// ProtocolNames lists the protocols.
func ProtocolNames() []string {
	names := make([]string, len(protocols))
	for i, p := range protocols {
		names[i] = p.Name
	}
	return names
}

// OpenProtocol returns the protocol of that name.
func OpenProtocol(name string) (Protocol, error) {
	for _, p := range protocols {
		if p.Name == name {
			return p, nil
		}
	}
	return Protocol{}, lookup.Unknown("protocol", name, ProtocolNames()...)
}
