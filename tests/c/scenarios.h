// The scenarios: the same list, under the same names, as in every binding.
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "harness.h"

void lifecycle(void);
void errors(void);
void emit(void);
void registry(void);
void keys(void);
void polling(void); // "poll": that name is the system's.
void claims(void);
void records(void);
void notices(void);
void verify(void);
void closing(void);

// The lifecycle in a box that is open and empty; closes it.
void lifecycle_in(hookbox_box *box);

#endif
