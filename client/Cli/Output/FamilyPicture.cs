using System.Globalization;
using System.Text;
using VmoCluster.Cli.Verbs;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Output;

/// <summary>
/// VMOs as a tree: each right under its parent, children in the order they came in, indented by their depth. One whose parent is not there
/// stands at the left.
/// </summary>
internal sealed class FamilyPicture
{
    // Deeper nodes are not indented further, but tell by how much: chains may be thousands deep.
    private const int IndentMost = 24;
    private readonly List<(TreeNode Node, int Depth)> _nodes = [];
    private readonly Dictionary<Koid, int> _shownChildren = [];
    private readonly bool _hasOwnPages;
    private readonly int _width = "KOID".Length;

    public FamilyPicture(IReadOnlyCollection<TreeNode> nodes, bool hasOwnPages)
    {
        _hasOwnPages = hasOwnPages;
        var known = nodes.Select(node => node.Koid).ToHashSet();
        var under = nodes.ToLookup(node => known.Contains(node.Parent) ? node.Parent : Koid.None);
        var open = new Stack<(TreeNode Node, int Depth)>(under[Koid.None].Reverse().Select(node => (node, 0)));
        while (open.TryPop(out var next))
        {
            _nodes.Add(next);
            _width = Math.Max(_width, Place(next.Node, next.Depth).Length);
            var children = 0;
            foreach (var child in under[next.Node.Koid].Reverse())
            {
                open.Push((child, next.Depth + 1));
                children++;
            }

            _shownChildren[next.Node.Koid] = children;
        }
    }

    public string Heading => Line("KOID", "KIND", "SIZE", "OWN PAGES", "CHARGED", "NAME");

    /// <summary>Each VMO and its line.</summary>
    public IEnumerable<(TreeNode Node, string Line)> Lines() => _nodes.Select(one => (one.Node, Print(one.Node, one.Depth)));

    private string Print(TreeNode node, int depth)
    {
        var rest = new StringBuilder(string.IsNullOrEmpty(node.Name) ? "-" : TextCell.Print(node.Name));
        if (node.IsGhost)
            rest.Append("  ghost");
        if (node.ChildCount - _shownChildren[node.Koid] is var more and > 0)
            rest.Append(CultureInfo.InvariantCulture, $"  +{more}");
        return Line(
            Place(node, depth), InfoVerb.KindName(node.Kind), Number(node.Size), _hasOwnPages ? Number(node.OwnPages) : "-", Number(node.ChargedBytes), rest.ToString());
    }

    private static string Place(TreeNode node, int depth) => depth <= IndentMost
        ? new string(' ', 2 * depth) + node.Koid
        : new string(' ', 2 * IndentMost) + string.Create(CultureInfo.InvariantCulture, $"({depth - IndentMost} deeper) {node.Koid}");

    private string Line(string place, string kind, string size, string own, string charged, string rest) =>
        string.Create(CultureInfo.InvariantCulture, $"{place.PadRight(_width)} {kind,-9} {size,16} {own,9} {charged,14} {rest}");

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
