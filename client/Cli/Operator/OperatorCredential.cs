using System.Text;
using VmoCluster.Cli.Files;

namespace VmoCluster.Cli.Operator;

/// <summary>
/// The operator's credential: the file that VMO_OPERATOR_FILE names, else the one in the data folder of the node on this machine that listens
/// at the endpoint, else the one in ./vmo-data. Read when an operator's verb needs it, by no other.
/// </summary>
internal static class OperatorCredential
{
    private const string DefaultPath = "vmo-data/operator";
    private const int BytesMax = 4096;

    /// <summary>The token. AccessDenied, with what to do, if there is none.</summary>
    public static async Task<string> ReadAsync(Surroundings surroundings, IReadOnlyList<Uri> endpoints, CancellationToken cancellation)
    {
        var given = surroundings.Environment("VMO_OPERATOR_FILE");
        var path = !string.IsNullOrEmpty(given) ? given
            : endpoints.Select(surroundings.OperatorPathOf).FirstOrDefault(p => p is not null) ?? DefaultPath;
        var bytes = new byte[BytesMax];
        int length;
        try
        {
            using var file = InputFile.Open(path);
            await using var stream = file.AsStream();
            length = await StreamPieces.FillAsync(stream, bytes, cancellation);
        }
        catch (VmoException exception)
        {
            throw new VmoException(
                VmoStatus.AccessDenied,
                $"the operator's credential is needed: {exception.Message}; set VMO_OPERATOR_FILE to the file 'operator' in the node's data folder",
                inner: exception);
        }

        var token = Encoding.UTF8.GetString(bytes, 0, length).Trim();
        // A file of something else must not be sent to anyone.
        return token.StartsWith("vmoop_", StringComparison.Ordinal) && token.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
            ? token
            : throw new VmoException(VmoStatus.AccessDenied, $"{path} holds no operator's credential: one begins with vmoop_");
    }
}
