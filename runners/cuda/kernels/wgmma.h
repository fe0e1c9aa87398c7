// wgmma.h: what kernels that multiply by warpgroups share, compute capability 9.0.
#pragma once
#include "hopper.h"

// A wgmma operand in shared memory, swizzled by 128 bytes. Rows along the sum (Q and
// K): +32 bytes for 16 columns, +half after 64; leading is not used. Rows across it
// (V): leading is the distance of 64 columns, +2048 bytes for 16 rows. Eight rows are
// 1024 bytes apart.
DEVICE u64 operand(u32 at, u32 leading) {
  return (u64)((at & 0x3ffff) >> 4) | (u64)(leading >> 4) << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62;
}
DEVICE void multiply_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void multiply_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> DEVICE void multiply_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }

// The sums of a warpgroup's product as an instruction names and binds them. A thread
// has of row r = 16·(warp % 4) + lane / 4 and row r+8 the columns 8j + 2·(lane % 4) and
// the next one, at 4j, 4j+1 and 4j+2, 4j+3.
#define NAMES16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define NAMES24 NAMES16 ",%16,%17,%18,%19,%20,%21,%22,%23"
#define NAMES32 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15" \
        ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define NAMES48 NAMES32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47"
#define NAMES64 NAMES48 ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define NAMES128 NAMES64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
        ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95" \
        ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
        ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define SUMS(n) "{" NAMES##n "}"
#define EIGHT(a) "+f"(d[a]), "+f"(d[a + 1]), "+f"(d[a + 2]), "+f"(d[a + 3]), "+f"(d[a + 4]), "+f"(d[a + 5]), "+f"(d[a + 6]), "+f"(d[a + 7])
#define OUTPUTS16 EIGHT(0), EIGHT(8)
#define OUTPUTS24 OUTPUTS16, EIGHT(16)
#define OUTPUTS32 EIGHT(0), EIGHT(8), EIGHT(16), EIGHT(24)
#define OUTPUTS48 OUTPUTS32, EIGHT(32), EIGHT(40)
#define OUTPUTS64 OUTPUTS48, EIGHT(48), EIGHT(56)
#define OUTPUTS128 OUTPUTS64, EIGHT(64), EIGHT(72), EIGHT(80), EIGHT(88), EIGHT(96), EIGHT(104), EIGHT(112), EIGHT(120)
