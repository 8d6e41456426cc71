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

/**
 * Mean VUS-PR over machines, as `npm run bench:detection` prints it; `gain` of adding the detector to the mix: mean and
 * standard error of paired differences.
 */
export const WEIGHT_EVIDENCE = {
  measure:
    'VUS-PR of the peak-held score, mean over machines: Server Machine Dataset (6), Application Server Dataset (4)',
  mix: [0.589, 0.625],
  only_frozen: [0.551, 0.627],
  only_daily: [0.518, 0.617],
  alone: {
    win_z: [0.467, 0.633],
    pca_win: [0.487, 0.551],
    var: [0.569, 0.653],
    isolation_forest: [0.33, 0.541],
    local_outlier_factor: [0.472, 0.637],
    autoencoder: [0.523, 0.574],
    convolution: [0.588, 0.635],
    win_z_daily: [0.422, 0.623],
    pca_daily: [0.494, 0.591],
    var_daily: [0.515, 0.646],
  },
  gain: {
    isolation_forest: { mean: -0.008, standard_error: 0.012, machines_better: 3 },
    local_outlier_factor: { mean: 0.002, standard_error: 0.004, machines_better: 7 },
    autoencoder: { mean: -0.005, standard_error: 0.002, machines_better: 3 },
    convolution: { mean: 0.007, standard_error: 0.004, machines_better: 5 },
  },
} as const
