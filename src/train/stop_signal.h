// SIGTERM (Slurm, Kubernetes, `kill`), SIGHUP (a closed terminal) and Ctrl-C ask a run to end: the loop
// writes a checkpoint and returns. One at a time. Signals may reach some of the processes only: what
// requested() says has to be agreed on (all_reduce) before all of them leave the loop at the same step.
#pragma once

namespace vl3::train {

class StopSignal {
 public:
  /// From now on the first of these only sets a flag; a second SIGTERM or SIGINT ends the process at once. A
  /// SIGHUP that was ignored (nohup) stays so.
  StopSignal();
  ~StopSignal();  ///< what was before holds again
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// The signal that asked for the end, 0 without one.
  static int requested();
  /// As a SIGTERM would.
  static void ask();
};

}  // namespace vl3::train
