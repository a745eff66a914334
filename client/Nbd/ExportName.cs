using System.Text;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor;

/// <summary>What an export is asked for by: a handle's text, and <c>?option[=value]&amp;...</c> behind it.</summary>
/// <param name="Handle">Which VMO, by which handle.</param>
/// <param name="IsReadOnly"><c>readonly</c>: as if the handle had no WRITE.</param>
internal readonly record struct ExportName(VmoHandle Handle, bool IsReadOnly)
{
    /// <summary>Reads it. False: too long, no handle, or an option nobody knows; which of these is not said, so that nobody learns what a handle is.</summary>
    public static bool TryParse(ReadOnlySpan<byte> name, out ExportName export)
    {
        export = default;
        if (name.Length > NbdNumbers.NameBytesMax)
            return false;
        Span<char> text = name.Length <= 256 ? stackalloc char[name.Length] : new char[name.Length];
        if (!Encoding.ASCII.TryGetChars(name, text, out var length) || name.ContainsAnyExceptInRange((byte)0x20, (byte)0x7e))
            return false;
        var rest = text[..length];
        var mark = rest.IndexOf('?');
        if (!VmoHandle.TryParse(mark < 0 ? rest : rest[..mark], out var handle))
            return false;
        var isReadOnly = false;
        foreach (var part in mark < 0 ? default : rest[(mark + 1)..].Split('&'))
        {
            if (!rest[(mark + 1)..][part].SequenceEqual("readonly"))
                return false;
            isReadOnly = true;
        }

        export = new(handle, isReadOnly);
        return true;
    }
}
