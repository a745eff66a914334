using System.Text;
using VmoCluster.Cli.Files;

namespace VmoCluster.Cli.Parsing;

/// <summary>
/// Where handles come from: the text itself, <c>-</c> for stdin, <c>@FILE</c>, or VMO_HANDLE when none is given; so that secrets can stay
/// off the command line. A word that is no handle is BadHandle and is never repeated.
/// </summary>
internal sealed class HandleSource(Surroundings surroundings)
{
    // More than close_many takes at once, times the length of a handle: whatever is longer is some other file.
    private const int BytesMax = 1 << 20;

    /// <summary>Whether stdin was read for handles, so that it cannot also be the data.</summary>
    public bool TookStandardInput { get; private set; }

    /// <summary>Whether a handle may be left out of the words.</summary>
    public bool HasDefault => Default.Length > 0;

    private string Default => surroundings.Environment("VMO_HANDLE")?.Trim() ?? "";

    /// <summary>The one handle of a verb that takes one.</summary>
    /// <param name="word">What was given, or null for VMO_HANDLE.</param>
    /// <param name="cancellation">Ends waiting for stdin.</param>
    public async Task<VmoHandle> OneAsync(string? word, CancellationToken cancellation)
    {
        var texts = await TextsAsync(word, cancellation);
        return texts.Length == 1
            ? VmoHandle.Parse(texts[0])
            : throw new UsageException($"one handle is needed, {(word == "-" ? "stdin" : "the file")} has {texts.Length}");
    }

    /// <summary>The texts of all handles given, not yet read: a verb that tries all must try those that are none, too.</summary>
    public async Task<IReadOnlyList<string>> ManyAsync(IReadOnlyList<string> words, CancellationToken cancellation)
    {
        var texts = new List<string>();
        if (words.Count == 0)
            texts.AddRange(await TextsAsync(null, cancellation));
        foreach (var word in words)
            texts.AddRange(await TextsAsync(word, cancellation));
        return texts.Count > 0 ? texts : throw new UsageException("no handle: what was given is empty");
    }

    private async Task<string[]> TextsAsync(string? word, CancellationToken cancellation)
    {
        if (word is null)
            return HasDefault ? [Default] : throw new UsageException("no handle: give one, or - to read it from stdin, @FILE, or set VMO_HANDLE");
        if (word == "-")
        {
            if (TookStandardInput)
                throw new UsageException("stdin can be read for handles once");
            TookStandardInput = true;
            return Split(await AllAsync(surroundings.In, "stdin", cancellation));
        }

        if (!word.StartsWith('@'))
            return [word];
        using var file = InputFile.Open(word[1..]);
        await using var stream = file.AsStream();
        return Split(await AllAsync(stream, word, cancellation));
    }

    private static string[] Split(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static async Task<string> AllAsync(Stream stream, string name, CancellationToken cancellation)
    {
        var bytes = new byte[BytesMax + 1];
        var length = await StreamPieces.FillAsync(stream, bytes, cancellation);
        return length <= BytesMax
            ? Encoding.UTF8.GetString(bytes, 0, length)
            : throw new UsageException($"{name} has more than {BytesMax} bytes: that is no list of handles");
    }
}
