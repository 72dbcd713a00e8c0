# Answers of R's `surveillance` on golden/series.csv, by which our reference methods are held.
# Rscript tests/jobs/decide/safety/make_golden.R tests/jobs/decide/safety/golden/series.csv out.csv
suppressMessages(library(surveillance))
args <- commandArgs(trailingOnly = TRUE)
series <- read.csv(args[1])

flexible <- list(
  b = 5, w = 3, noPeriods = 10, weightsThreshold = 2.58, pastWeeksNotIncluded = 26,
  pThresholdTrend = 1, thresholdMethod = "nbPlugin", alpha = 0.005, glmWarnings = FALSE
)
classic <- modifyList(flexible, list(
  noPeriods = 1, weightsThreshold = 1, pastWeeksNotIncluded = 3, pThresholdTrend = 0.05, thresholdMethod = "delta"
))
farrington <- list(
  farrington_flexible = flexible,
  farrington_classic = classic,
  flexible_muan = modifyList(flexible, list(thresholdMethod = "muan", alpha = 0.05, reweight = FALSE)),
  classic_other = modifyList(classic, list(
    powertrans = "1/2", b = 3, w = 2, limit54 = c(3, 2), alpha = 0.01, trend = FALSE, noPeriods = 4
  ))
)
ears <- list(
  ears_c1 = list(method = "C1"), ears_c2 = list(method = "C2"), ears_c3 = list(method = "C3"),
  ears_c2_other = list(method = "C2", baseline = 14, minSigma = 0.5, alpha = 0.01)
)

answers <- NULL
keep <- function(case, unit, method, t, result) {
  answers <<- rbind(answers, data.frame(
    case = case, unit = unit, method = method, t = t,
    upper_bound = sprintf("%.12g", as.numeric(upperbound(result))), alarm = as.numeric(alarms(result))
  ))
}
for (case in unique(series$case)) {
  for (unit in unique(series$unit[series$case == case])) {
    rows <- series[series$case == case & series$unit == unit, ]
    frequency <- rows$frequency[1]
    counts <- if (rows$date[1] == "") {
      sts(rows$count, frequency = frequency)
    } else {
      sts(rows$count, frequency = frequency, epoch = as.Date(rows$date))
    }
    if (frequency == 52) {
      for (method in names(ears)) {
        result <- earsC(counts[1:80, ], control = ears[[method]])
        keep(case, unit, method, (80 - nrow(result) + 1):80, result)
      }
    }
    step <- c("12" = 3, "52" = 7, "365" = 33)[[as.character(frequency)]]
    for (k in seq(frequency * 5 + 6, nrow(rows), by = step)) {
      for (method in names(farrington)) {
        result <- suppressWarnings(farringtonFlexible(counts, control = c(farrington[[method]], list(range = k))))
        keep(case, unit, method, k, result)
      }
    }
  }
}
cat(R.version.string, "\nsurveillance", as.character(packageVersion("surveillance")), "\n")
write.csv(answers, args[2], row.names = FALSE, quote = FALSE)
