import { readFileSync } from "node:fs";
import parser from "@asyncapi/parser";

const path = process.argv[2];
const { document, diagnostics } = await new parser.Parser().parse(readFileSync(path, "utf8"), { source: path });
const severities = ["error", "warning", "information", "hint"];
for (const { severity, message, path: where } of diagnostics) {
  console.log(`${severities[severity]}: ${where.join(".") || "(root)"}: ${message}`);
}
const errors = diagnostics.filter(({ severity }) => severity === 0).length;
if (errors > 0 || !document) {
  console.log(`${path}: ${errors} errors`);
  process.exit(1);
}
console.log(`${path}: valid, ${document.operations().all().length} operations`);
