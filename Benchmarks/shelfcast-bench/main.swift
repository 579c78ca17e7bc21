import Forecasting
import Foundation
import Training

let dir = ProcessInfo.processInfo.environment["SALES_DATA"] ?? "../shared/data"
let args = CommandLine.arguments
func opt(_ n: String, _ d: String) -> String { args.firstIndex(of: "--" + n).map { args[$0 + 1] } ?? d }
let w = opt("data", "s") == "w"
let series = try SalesFile.read(dir + (w ? "/walmart-3x28.csv.gz" : "/store-item-demand-5x10.csv.gz"))
let form = ModelForm(name: opt("form", "plain"))!
for seed in 1...UInt64(opt("seeds", "1"))! {
    var plan = TrainingPlan(
        form: form, units: opt("units", "64").split(separator: ",").map { Int($0)! }, seed: seed,
        testFrom: BusinessDay(iso8601: Array((w ? "2015-07-01" : "2017-01-01").utf8))!)
    plan.epochs = Int(opt("epochs", "\(plan.epochs)"))!
    plan.batch = Int(opt("batch", "\(plan.batch)"))!
    plan.patience = Int(opt("patience", "\(plan.patience)"))!
    plan.validationDays = Int(opt("val", "\(plan.validationDays)"))!
    plan.profilesMax = Int(opt("profiles", "\(plan.profilesMax)"))!
    plan.learningRate = Float(opt("lr", "\(plan.learningRate)"))!
    plan.dropout = Float(opt("dropout", "\(plan.dropout)"))!
    if let i = UInt16(opt("inputs", "x")) { plan.inputs = .init(rawValue: i) }
    if let p = Float(opt("power", "x")) { plan.loss = .tweedie(power: p) }
    if opt("loss", "") == "mse" { plan.loss = .meanSquare }
    let t = ContinuousClock.now
    var usage = rusage(); getrusage(0, &usage)
    let c0 = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) * 1e-6
    let f = try train(series: series, plan: plan)
    getrusage(0, &usage)
    let c = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) * 1e-6 - c0
    print("seed", seed, "rate", f.spec.levelRate, "profiles", f.profiles.count, "windows", f.trainingWindows, "time", t.duration(to: .now), "cpu", c, "MB", usage.ru_maxrss / 1024)
    if seed == 1 { for b in f.baselines { print("  ", b.name, b.accuracy.mape!, b.accuracy.wape!, b.accuracy.bias!) } 
        if opt("v", "") != "" { for p in f.profiles { print(p) } } }
    for v in f.variants {
        print(" ", v.units, v.parameters.shape.parameterCount, "epochs", v.validationLosses.count, "best", v.bestEpoch, "mape", v.test!.mape!, "wape", v.test!.wape!, "bias", v.test!.bias!, "rmse", v.test!.rootMeanSquareError!, "VAL wape", v.validation.wape!, "bias", v.validation.bias!)
        if opt("v", "") != "" { print(v.trainingLosses, v.validationLosses) }
    }
}
