// The tools, resources and prompts that the conformance package asks a server for by name.
import {
  acceptedContent,
  completable,
  fromJsonSchema,
  inputRequired,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text, wait } from './tools.mjs';

// One red pixel, and a WAV file without a sample.
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const embedded = (uri, mimeType, content) => ({ type: 'resource', resource: { uri, mimeType, text: content } });
const user = (content) => ({ role: 'user', content });

export function offerConformance(server, { era, states, changed }) {
  offerContents(server);
  offerStreams(server, era);
  offerSchemas(server);
  if (era === 'legacy') offerQuestions(server);
  else {
    offerRounds(server, states);
    offerChanges(server, changed);
  }
  offerResources(server);
  offerPrompts(server);
  if (era === 'legacy') {
    server.server.setRequestHandler('resources/subscribe', () => ({}));
    server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  }
}

function tool(server, name, description, run, inputSchema = z.object({})) {
  server.registerTool(name, { description, inputSchema }, run);
}

function offerContents(server) {
  tool(server, 'test_simple_text', 'Says a sentence', () => text('A sentence, and nothing else.'));
  tool(server, 'test_image_content', 'Gives an image', () => ({ content: [image] }));
  tool(server, 'test_audio_content', 'Gives a sound', () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }));
  tool(server, 'test_embedded_resource', 'Gives a resource', () => ({
    content: [embedded('test://embedded-resource', 'text/plain', 'embedded')],
  }));
  tool(server, 'test_multiple_content_types', 'Gives all of them', () => ({
    content: [{ type: 'text', text: 'all of them:' }, image, embedded('test://mixed-content-resource', 'application/json', '{}')],
  }));
  tool(server, 'test_error_handling', 'Always fails', () => {
    throw new Error('this tool always fails');
  });
}

function offerStreams(server, era) {
  tool(server, 'test_tool_with_logging', 'Logs what it does', async (_, { mcpReq }) => {
    for (const line of ['started', 'working', 'done']) {
      await mcpReq.log('info', line);
      await wait(50);
    }
    return text('logged');
  });
  tool(server, 'test_tool_with_progress', 'Tells of its progress', async (_, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      }
      await wait(50);
    }
    return text('done');
  });
  if (era === 'legacy') {
    tool(server, 'test_reconnection', 'Breaks its stream off and answers to whoever comes back', async (_, { http }) => {
      await wait(50);
      http?.closeSSE?.();
      await wait(100);
      return text('reconnected');
    });
  }
  tool(server, 'test_logging_tool', 'Would log, if it were asked to', async (_, { mcpReq }) => {
    await mcpReq.log('info', 'a line');
    return text('done');
  });
}

function offerSchemas(server) {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  };
  tool(server, 'json_schema_2020_12_tool', 'Has a schema with everything in it', () => text('done'), fromJsonSchema(schema));
  const located = {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, query: { type: 'string' } },
    required: ['region', 'query'],
  };
  tool(server, 'test_header_param', 'Repeats an argument in a header', () => text('done'), fromJsonSchema(located));
}

/** The older era: the server asks the client while a tool runs, on the stream of the call. That of the session may not be open yet. */
function offerQuestions(server) {
  const here = (mcpReq) => ({ relatedRequestId: mcpReq.id });
  const asked = (reply) => text(`Elicitation completed: action=${reply.action}, content=${JSON.stringify(reply.content ?? {})}`);
  tool(
    server,
    'test_sampling',
    'Asks the client to sample',
    async ({ prompt }, { mcpReq }) => {
      const messages = [user({ type: 'text', text: prompt })];
      const reply = await mcpReq.requestSampling({ messages, maxTokens: 100 }, here(mcpReq));
      return text(`LLM response: ${reply.content.text ?? ''}`);
    },
    z.object({ prompt: z.string() }),
  );
  tool(
    server,
    'test_elicitation',
    'Asks the user',
    async ({ message }, { mcpReq }) => {
      const properties = { username: { type: 'string' }, email: { type: 'string' } };
      const requestedSchema = { type: 'object', properties, required: ['username'] };
      return asked(await mcpReq.elicitInput({ message, requestedSchema }, here(mcpReq)));
    },
    z.object({ message: z.string() }),
  );
  const form = (name, properties) =>
    tool(server, name, 'Asks the user', async (_, { mcpReq }) =>
      asked(
        await mcpReq.elicitInput(
          { message: 'Fill this in', requestedSchema: { type: 'object', properties, required: [] } },
          here(mcpReq),
        ),
      ),
    );
  form('test_elicitation_sep1034_defaults', {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  });
  const titled = ['value1', 'value2', 'value3'].map((value, at) => ({ const: value, title: ['First', 'Second', 'Third'][at] }));
  const plain = ['option1', 'option2', 'option3'];
  form('test_elicitation_sep1330_enums', {
    untitledSingle: { type: 'string', enum: plain },
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: plain } },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  });
}

const nameForm = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
const askName = () => inputRequired.elicit({ message: 'What is your name?', requestedSchema: nameForm });
const askSampling = () =>
  inputRequired.createMessage({ messages: [user({ type: 'text', text: 'What is the capital of France?' })], maxTokens: 100 });
const nameIn = (responses, key) => acceptedContent(responses, key, z.object({ name: z.string() }))?.name;

/** The newer era: the server answers with a question, and the client calls again with its answer. */
function offerRounds(server, states) {
  const rounds = (name, run) => tool(server, `test_input_required_result_${name}`, 'Asks back', run);
  rounds('elicitation', (_, { mcpReq }) => {
    const name = nameIn(mcpReq.inputResponses, 'user_name');
    return name ? text(`Hello, ${name}!`) : inputRequired({ inputRequests: { user_name: askName() } });
  });
  rounds('sampling', (_, { mcpReq }) => {
    const answer = mcpReq.inputResponses?.capital_question;
    return answer ? text(answer.content?.text ?? 'said') : inputRequired({ inputRequests: { capital_question: askSampling() } });
  });
  rounds('list_roots', (_, { mcpReq }) => {
    const answer = mcpReq.inputResponses?.client_roots;
    const roots = (answer?.roots ?? []).map((root) => root.uri).join(', ');
    return answer ? text(`roots: ${roots}`) : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  const confirmed = (key) => async (_, { mcpReq }) => {
    const answered = mcpReq.inputResponses?.[key];
    if (answered && mcpReq.requestState()) return text('state-ok');
    return inputRequired({ inputRequests: { [key]: askName() }, requestState: await states.mint({ step: 1 }) });
  };
  rounds('request_state', confirmed('confirm'));
  rounds('tampered_state', confirmed('confirm'));
  rounds('multiple_inputs', async (_, { mcpReq }) => {
    const answers = mcpReq.inputResponses ?? {};
    if (answers.user_name && answers.greeting && answers.client_roots) return text('all of them');
    return inputRequired({
      inputRequests: { user_name: askName(), greeting: askSampling(), client_roots: inputRequired.listRoots() },
      requestState: await states.mint({ step: 1 }),
    });
  });
  rounds('multi_round', async (_, { mcpReq }) => {
    const answers = mcpReq.inputResponses ?? {};
    const step = mcpReq.requestState()?.step ?? 0;
    if (step === 2 && answers.step2) return text('done');
    const next = step === 1 && answers.step1 ? 2 : 1;
    return inputRequired({ inputRequests: { [`step${next}`]: askName() }, requestState: await states.mint({ step: next }) });
  });
  rounds('capabilities', (_, { mcpReq }) => {
    const declared = mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
    const inputRequests = {};
    if (declared.sampling) inputRequests.question = askSampling();
    if (declared.elicitation) inputRequests.user_name = askName();
    return Object.keys(inputRequests).length ? inputRequired({ inputRequests }) : text('nothing to ask with');
  });
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks back' }, (...given) => {
    const { mcpReq } = given.at(-1);
    const answered = mcpReq.inputResponses?.user_context;
    if (!answered) return inputRequired({ inputRequests: { user_context: askName() } });
    return { messages: [user({ type: 'text', text: 'answered' })] };
  });
}

/** The newer era: what a client hears of on a stream it subscribed with, and what a tool needs of a client. */
function offerChanges(server, changed) {
  tool(server, 'test_missing_capability', 'Needs a client that samples', () =>
    inputRequired({ inputRequests: { question: askSampling() } }),
  );
  tool(server, 'test_streaming_elicitation', 'Tells of its progress, then asks back', async (_, { mcpReq }) => {
    await mcpReq.notify({ method: 'notifications/progress', params: { progressToken: 'asked', progress: 50, total: 100 } });
    return inputRequired({ inputRequests: { user_name: askName() } });
  });
  for (const list of ['tool', 'prompt']) {
    tool(server, `test_trigger_${list}_change`, `Says that the list of ${list}s has changed`, () => {
      changed[`${list}s`]();
      return text('said');
    });
  }
}

function offerResources(server) {
  const fixed = (name, uri, mimeType, content) =>
    server.registerResource(name, uri, { description: name, mimeType }, (found) => ({
      contents: [{ uri: found.href, mimeType, ...content }],
    }));
  fixed('static text', 'test://static-text', 'text/plain', { text: 'a text that never changes' });
  fixed('static binary', 'test://static-binary', 'image/png', { blob: PNG });
  fixed('watched', 'test://watched-resource', 'text/plain', { text: 'watched' });
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource('template', template, { description: 'template', mimeType: 'application/json' }, (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id, data: `data of ${id}` }) }],
  }));
}

function offerPrompts(server) {
  const prompt = (name, argsSchema, ...contents) =>
    server.registerPrompt(name, { description: name, ...(argsSchema && { argsSchema }) }, (given) => ({
      messages: contents.map((content) => user(typeof content === 'function' ? content(given) : content)),
    }));
  const argument = completable(z.string(), (start) => ['paris', 'park', 'party'].filter((word) => word.startsWith(start)));
  prompt('test_simple_prompt', undefined, { type: 'text', text: 'A simple prompt.' });
  prompt('test_prompt_with_arguments', z.object({ arg1: argument, arg2: z.string() }), ({ arg1, arg2 }) => ({
    type: 'text',
    text: `arg1='${arg1}', arg2='${arg2}'`,
  }));
  prompt(
    'test_prompt_with_embedded_resource',
    z.object({ resourceUri: z.string() }),
    ({ resourceUri }) => embedded(resourceUri, 'text/plain', 'embedded'),
    { type: 'text', text: 'Look at the resource above.' },
  );
  prompt('test_prompt_with_image', undefined, image, { type: 'text', text: 'Look at the image above.' });
}
