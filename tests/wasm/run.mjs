// Prints the text of the module that is named on the command line. A sweep calls nothing of its host: what the
// module imports belongs to crates that it does not use (random numbers of archives).
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  imports[from] ??= {};
  imports[from][name] = () => {
    throw new Error(`the module called ${from}.${name}`);
  };
}
const { run, text, memory } = new WebAssembly.Instance(module, imports).exports;
const length = run();
process.stdout.write(new Uint8Array(memory.buffer, text(), length));
