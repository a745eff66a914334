using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.PageStore;

// The embedded store alone in a process, so that a test can kill it: StoreHost FOLDER [LOG-MIB-MAX]. It prints its configuration and
// serves until its standard input ends.
var options = new EmbeddedStoreOptions
{
    Folder = args[0],
    LogBytesMax = args.Length > 1 ? long.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) << 20 : new EmbeddedStoreOptions { Folder = "" }.LogBytesMax,
};
await using var store = EmbeddedStore.Start(options, NullLoggerFactory.Instance);
Console.WriteLine("ready " + store.Configuration);
await Console.In.ReadToEndAsync();
