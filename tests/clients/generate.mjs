// SPDX-License-Identifier: MIT
// Reads a JSON Schema whose definitions are types, and writes them as a language's: `node generate.mjs go < schema.json`.
import { readFileSync } from "node:fs";
import { InputData, JSONSchemaInput, quicktype } from "quicktype-core";

const language = process.argv[2];
const options = {
  go: { "just-types-and-package": "true", package: "authservice" },
  typescript: { "just-types": "true", "prefer-unions": "true", "prefer-const-values": "true" },
};

const schema = new JSONSchemaInput();
await schema.addSource({ name: "AuthService", uris: ["#/definitions/"], schema: readFileSync(0, "utf8") });
const inputData = new InputData();
inputData.addInput(schema);
const { lines } = await quicktype({ inputData, lang: language, rendererOptions: options[language] });
process.stdout.write(lines.join("\n"));
