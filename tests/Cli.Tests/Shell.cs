using System.Text;
using System.Text.Json;
using VmoCluster.Cli.Tests.Model;
using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cli.Tests;

/// <summary>The command line in this process, over a model of a cluster: what a script sees of it.</summary>
internal sealed class Shell : IDisposable
{
    public Shell() => Cluster = new(TimeProvider.System);

    public ModelTransport Cluster { get; }

    /// <summary>A folder of the test's own.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("vmo-cli-").FullName;

    public Dictionary<string, string> Environment { get; } = [];
    public bool IsTerminal { get; init; }

    /// <summary>What a probe of the endpoint answers; null: something listens.</summary>
    public string? NotListening { get; init; }

    public VmoClientOptions? Options { get; private set; }

    public string PathOf(string name) => Path.Combine(Folder, name);

    public async Task<Done> RunAsync(string[] args, byte[]? input = null, CancellationToken cancellation = default)
    {
        using var output = new MemoryStream();
        using var errors = new StringWriter();
        var line = new CommandLine(new()
        {
            In = new MemoryStream(input ?? []),
            Out = output,
            Error = errors,
            ErrorIsTerminal = IsTerminal,
            Environment = Environment.GetValueOrDefault,
            OperatorPathOf = _ => null,
            Probe = (_, _) => Task.FromResult(NotListening),
            Connect = options =>
            {
                Options = options;
                return new(Cluster, options);
            },
        });
        var exitCode = await line.RunAsync(args, cancellation);
        return new(exitCode, output.ToArray(), errors.ToString());
    }

    /// <summary>Runs what must succeed and say nothing on stderr.</summary>
    public async Task<Done> OkAsync(params string[] args)
    {
        var done = await RunAsync(args);
        Assert.Equal("", done.Error);
        Assert.Equal(0, done.ExitCode);
        return done;
    }

    /// <summary>A new VMO's handle.</summary>
    public async Task<string> CreateAsync(string size = "64KiB", params string[] more) => (await OkAsync(["create", "--size", size, .. more])).Line;

    public void Dispose() => Directory.Delete(Folder, true);
}

/// <summary>How a command ended.</summary>
internal sealed record Done(int ExitCode, byte[] Output, string Error)
{
    public string Text => Encoding.UTF8.GetString(Output);

    /// <summary>Stdout, which must be one line.</summary>
    public string Line
    {
        get
        {
            Assert.EndsWith("\n", Text, StringComparison.Ordinal);
            Assert.Equal(1, Text.Count(c => c == '\n'));
            return Text.TrimEnd('\n');
        }
    }

    /// <summary>Stdout, which must be one JSON object on one line.</summary>
    public JsonElement Json => JsonDocument.Parse(Line).RootElement;

    /// <summary>Stderr, which must be one JSON object on one line.</summary>
    public JsonElement ErrorJson
    {
        get
        {
            Assert.Equal(1, Error.Count(c => c == '\n'));
            return JsonDocument.Parse(Error).RootElement;
        }
    }

    /// <summary>The keys of stdout's object, in order.</summary>
    public string Keys => string.Join(',', Json.EnumerateObject().Select(m => m.Name));

    /// <summary>An array of names in it, comma-separated.</summary>
    public string Names(string key) => string.Join(',', Json.GetProperty(key).EnumerateArray().Select(n => n.GetString()));

    /// <summary>It must have been refused: this exit code, this beginning of stderr, nothing on stdout, no trace of a stack.</summary>
    public void Refused(int exitCode, string begin)
    {
        Assert.StartsWith(begin, Error, StringComparison.Ordinal);
        Assert.Equal(exitCode, ExitCode);
        Assert.Empty(Output);
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
    }
}
