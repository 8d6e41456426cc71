/**
 * Weights of the detectors in the ensemble of a bundle of a host's own past, and what they rest on.
 *
 * Chosen on ten real servers of the Server Machine Dataset (six, a row a minute, 38 signals) and the Application Server
 * Dataset (four, a row in five minutes, 19 signals): fitted on each one's unlabelled first part, judged by VUS-PR on the
 * labelled second part. A detector joins the mix only if it gains more than noise on machines that did not choose it:
 * differences are paired by machine, and with ten of them one below .05 is noise. Isolation forest, local outlier factor,
 * autoencoder and convolution do not gain that much, so they vote with their own score but not in the ensemble. A daily
 * member has the weight of the frozen detector that it stands beside: half and half was what other machines had shown
 * to lose on none.
 */
export const DEFAULT_WEIGHTS: Readonly<Record<string, number>> = {
  win_z: 1,
  pca_win: 1,
  var: 1,
  isolation_forest: 0,
  local_outlier_factor: 0,
  autoencoder: 0,
  convolution: 0,
}

/** Mean VUS-PR over machines; `gain` of adding the detector to the mix: mean and standard error of paired differences. */
export const WEIGHT_EVIDENCE = {
  measure:
    'VUS-PR of the peak-held score, mean over machines: Server Machine Dataset (6), Application Server Dataset (4)',
  mix: [0.548, 0.627],
  alone: {
    win_z: [0.467, 0.633],
    pca_win: [0.47, 0.551],
    var: [0.568, 0.653],
    isolation_forest: [0.28, 0.482],
    local_outlier_factor: [0.472, 0.637],
  },
  gain: {
    isolation_forest: { mean: -0.004, standard_error: 0.022, machines_better: 3 },
    local_outlier_factor: { mean: 0.006, standard_error: 0.006, machines_better: 6 },
  },
  /** Mean over all ten of the mix, and of the mix that the other nine would have chosen. */
  cross_validated: { this_mix: 0.58, chosen_by_the_others: 0.567 },
} as const
