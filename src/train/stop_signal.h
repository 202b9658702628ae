// SIGTERM (Slurm, Kubernetes, `kill`) and Ctrl-C ask a run to end: the loop writes a checkpoint and returns.
// One at a time. Signals may reach some of the processes only: what requested() says has to be agreed on
// (all_reduce) before all of them leave the loop at the same step.
#pragma once

namespace vl3::train {

class StopSignal {
 public:
  StopSignal();   ///< from now on the first SIGTERM or SIGINT only sets a flag; a second one ends the process
                  ///< at once
  ~StopSignal();  ///< what was before holds again
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal that asked for the end (SIGTERM, SIGINT), 0 without one.
  static int requested();
};

}  // namespace vl3::train
