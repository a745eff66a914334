using VmoCluster.Fsx;
using VmoCluster.Fsx.Ops;

// 64 is a usage error, as everywhere here.
const int UsageError = 64;

if (args.Contains("--help") || args.Contains("-h"))
{
    Console.Out.WriteLine(FsxOptions.Help);
    return 0;
}

FsxOptions options;
Script? script = null;
try
{
    options = FsxOptions.Parse(args);
    if (options.Script is { } file)
        script = Script.Parse(file == "-" ? await Console.In.ReadToEndAsync() : await File.ReadAllTextAsync(file));
}
catch (Exception mistake) when (mistake is FormatException or IOException)
{
    Console.Error.WriteLine($"vmo-fsx: {mistake.Message} (--help tells more)");
    return UsageError;
}

await using var place = await Place.OpenAsync(options);
if (script is not null)
{
    var failure = await Play.ScriptAsync(script, place.Start);
    Console.Out.WriteLine(failure is null ? $"{script.Ops.Count} operations, no difference" : $"operation {failure.At + 1} of {script.Ops.Count}{(failure.At < script.Ops.Count ? $", {script.Ops[failure.At]}" : ", the end")}: {failure.What}");
    return failure is null ? 0 : 1;
}

Console.Out.WriteLine($"seed {options.Seed}, target {options.Target}, {options.Clients} at once");
var result = await new Stress(options, place.Start, Console.Out.WriteLine).RunAsync();
if (result.Failing is null)
{
    if (await place.CheckStoreAsync() is { } damage)
    {
        Console.Out.WriteLine($"a scrub finds:\n{damage}");
        return 1;
    }

    Console.Out.WriteLine($"{result.Operations:N0} operations, {result.Families:N0} families, no difference");
    return 0;
}

Console.Out.WriteLine($"\n{result.Failure!.What}\n\n# play it: dotnet run -c Release --project tests/Fsx -- --target {options.Target} --script FILE\n{result.Failing}");
return 1;
