// node vue.mjs Component.vue '(tag) => …': prints what a bundler makes of it, when told which elements are the browser's.
import { readFileSync } from "node:fs";
import { compileScript, parse } from "vue/compiler-sfc";

const source = readFileSync(process.argv[2], "utf8");
const isCustomElement = new Function(`return ${process.argv[3]}`)();
const { descriptor, errors } = parse(source, { templateParseOptions: { isCustomElement } });
if (errors.length) throw errors[0];
const { content } = compileScript(descriptor, {
  id: "chat",
  inlineTemplate: true,
  templateOptions: { compilerOptions: { isCustomElement } },
});
process.stdout.write(content);
