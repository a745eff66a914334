using System.CommandLine;
using System.Text;
using System.Text.Json;
using VmoCluster.Cli.Operator;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Client;

namespace VmoCluster.Cli;

/// <summary>One running command: its words and options, its client, its output.</summary>
internal sealed class Run(Surroundings surroundings, ParseResult parsed, Connection connection, bool isJson, TimeSpan? timeout)
{
    public Surroundings Surroundings => surroundings;

    /// <summary>Whether results and errors are JSON.</summary>
    public bool IsJson => isJson;

    /// <summary>--timeout, or null.</summary>
    public TimeSpan? Timeout => timeout;

    public Connection Connection => connection;

    public HandleSource Handles { get; } = new(surroundings);

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    public bool Has(Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The verb's words.</summary>
    public IReadOnlyList<string> Words(Verb verb) => parsed.GetValue(verb.Words) ?? [];

    public string? FirstWord(Verb verb) => Words(verb) is { Count: > 0 } words ? words[0] : null;

    public string? LastWord(Verb verb) => Words(verb) is { Count: > 0 } words ? words[^1] : null;

    /// <summary>The client, connected.</summary>
    public Task<VmoClient> ClientAsync(CancellationToken cancellation) => connection.OpenAsync(null, cancellation);

    /// <summary>The same, with calls that are tried for so long, also before any was answered.</summary>
    public Task<VmoClient> ClientAsync(TimeSpan deadline, CancellationToken cancellation) => connection.OpenAsync(null, deadline, cancellation);

    /// <summary>The client with the operator's credential.</summary>
    public async Task<VmoClient> OperatorAsync(CancellationToken cancellation) =>
        await connection.OpenAsync(await OperatorCredential.ReadAsync(surroundings, connection.Endpoints, cancellation), cancellation);

    /// <summary>The VMO behind the verb's only word, or VMO_HANDLE.</summary>
    public async Task<Vmo> VmoAsync(Verb verb, CancellationToken cancellation) => await OpenAsync(FirstWord(verb), cancellation);

    /// <summary>The VMO behind the first of two words, and the second; with one word the handle is VMO_HANDLE.</summary>
    public async Task<(Vmo Vmo, string Word)> VmoAndWordAsync(Verb verb, string meaning, CancellationToken cancellation)
    {
        var words = Words(verb);
        if (words.Count == 0)
            throw new UsageException($"{meaning} is missing: vmo {verb.Name} {verb.Form}");
        return (await OpenAsync(words.Count > 1 ? words[0] : null, cancellation), words[^1]);
    }

    /// <summary>The result: one JSON object, or its text, or (empty text) nothing.</summary>
    public void Answer(Action<Utf8JsonWriter> json, string text)
    {
        if (isJson)
            surroundings.Out.Write(JsonLine.Write(json));
        else if (text.Length > 0)
            surroundings.Out.Write(Encoding.UTF8.GetBytes(text + "\n"));
    }

    /// <summary>A new handle: alone in text.</summary>
    public void AnswerHandle(Vmo vmo, VmoRights rights, ulong? size = null, ulong? storedBytes = null) => Answer(
        json =>
        {
            json.WriteString("handle", vmo.Handle.Reveal());
            json.WriteNumber("koid", vmo.Koid.Value);
            if (size is { } bytes)
                json.WriteNumber("size", bytes);
            json.WriteRights("rights", rights);
            if (storedBytes is { } stored)
                json.WriteNumber("storedBytes", stored);
        },
        vmo.Handle.Reveal());

    /// <summary>What to do next: for people only.</summary>
    public void Hint(string text) => Heading($"hint: {text}");

    /// <summary>What columns mean: for people only.</summary>
    public void Heading(string text)
    {
        if (surroundings.ErrorIsTerminal && !isJson)
            surroundings.Error.Write(text + "\n");
    }

    private async Task<Vmo> OpenAsync(string? word, CancellationToken cancellation)
    {
        var handle = await Handles.OneAsync(word, cancellation);
        return (await ClientAsync(cancellation)).Open(handle);
    }
}
