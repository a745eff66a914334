Console.WriteLine("see tests/Chaos/DESIGN.md");
