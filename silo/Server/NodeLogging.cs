using VmoCluster.Hosting.Settings;

namespace VmoCluster.Server;

/// <summary>Logs go to stderr, a line each; stdout is the ready line's.</summary>
internal static class NodeLogging
{
    public static void Configure(ILoggingBuilder logging, VmoNodeOptions options)
    {
        // What other libraries say at information level is for their own developers.
        var others = options.LogLevel <= LogLevel.Debug ? options.LogLevel : (LogLevel)Math.Max((int)options.LogLevel, (int)LogLevel.Warning);
        logging.SetMinimumLevel(others);
        logging.AddFilter("VmoCluster", options.LogLevel);

        // At each start it takes the machine's uptime for a stall.
        logging.AddFilter("Orleans.Runtime.Watchdog", (LogLevel)Math.Max((int)others, (int)LogLevel.Error));

        // Garnet, about options it was not given.
        logging.AddFilter("ArgParser", LogLevel.Error);
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }
}
