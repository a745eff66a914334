using VmoCluster.Core.Store;
using VmoCluster.Hosting;
using VmoCluster.Hosting.Settings;
using VmoCluster.Server;

// The exit codes of sysexits: 64 is a usage error. Everything else that keeps a node from starting is 1.
const int UsageError = 64;
const int StartupError = 1;

if (args.Contains("--help") || args.Contains("-h"))
{
    Console.Out.Write(SettingsReader.Help());
    return 0;
}

if (args.Contains("--version"))
{
    Console.Out.WriteLine(VmoVersion.Text);
    return 0;
}

VmoNodeOptions options;
try
{
    options = SettingsReader.Read(args, Environment.GetEnvironmentVariables());
}
catch (SettingsException mistakes)
{
    foreach (var mistake in mistakes.Message.Split('\n'))
    {
        Complain(mistake);
    }

    return UsageError;
}

try
{
    await Node.RunAsync(options);
    return 0;
}
catch (Exception failure) when (failure is StoreException or StartupException)
{
    Complain(failure.Message);
    return StartupError;
}
catch (Exception failure) // The edge of the process: whatever it is, its user gets a sentence, and the trace where he asks for it.
{
    Complain($"{failure.GetBaseException().Message} ({failure.GetBaseException().GetType().Name}; --log-level debug shows where)");
    if (options.LogLevel <= LogLevel.Debug)
    {
        Console.Error.WriteLine(failure);
    }

    return StartupError;
}

static void Complain(string sentence) => Console.Error.WriteLine($"vmo node: {sentence}");
