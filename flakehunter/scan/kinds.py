"""Names of syntax nodes that mean the same in several grammars, and words that never name a process."""


def words(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())


CALLS = words(
    """
    call call_expression constructor_invocation function_call_expression invocation_expression
    member_call_expression method_invocation new_expression nullsafe_member_call_expression
    object_creation_expression scoped_call_expression subshell
    """
)
LOOPS = words(
    """
    c_style_for_statement do_statement do_while_statement enhanced_for_statement for for_expression for_in_statement
    for_range_loop for_statement foreach_statement loop_expression until until_modifier while while_expression
    while_modifier while_statement
    """
)
IFS = words(
    """
    conditional conditional_expression elif_clause else_if_clause elsif if if_expression if_modifier if_statement
    ternary_expression unless unless_modifier
    """
)
SWITCHES = words(
    """
    case expression_switch_statement match_statement switch_statement type_switch_statement when_expression
    """
)
CASES = words(
    """
    case_clause case_statement default_case default_statement else expression_case switch_block_statement_group
    switch_case switch_default switch_rule switch_section type_case when when_entry
    """
)
"""What `SWITCHES` choose one of."""
TRIES = words(
    """
    begin try_expression try_statement try_with_resources_statement
    """
)
CLOSURES = words(
    """
    anonymous_function anonymous_function_creation_expression anonymous_method_expression arrow_function
    closure_expression func_literal function_expression lambda lambda_expression lambda_literal
    """
)
FUNCTIONS = words(
    """
    constructor_declaration function_declaration function_definition function_item generator_function_declaration
    local_function_statement method method_declaration method_definition singleton_method
    """
)
ASSIGNMENTS = words(
    """
    assignment augmented_assignment augmented_assignment_expression
    assignment_expression assignment_statement const_spec init_declarator let_condition let_declaration
    named_expression operator_assignment property_declaration short_var_declaration var_spec variable_assignment
    variable_declarator
    """
)
MEMBERS = words(
    """
    attribute class_constant_access_expression conditional_access_expression field_access field_expression
    member_access_expression member_expression navigation_expression nullsafe_member_access_expression
    qualified_identifier scope_resolution scoped_call_expression scoped_identifier selector_expression
    """
)
STATEMENT_ENDS = words(
    """
    break break_expression break_statement continue_expression continue_statement goto_statement jump_expression
    labeled_jump next raise_statement return return_expression return_statement throw_expression throw_statement
    """
)
LEAVES = words(
    """
    comment false field_identifier identifier integer none null number property_identifier simple_identifier this true
    type_identifier
    """
)
"""Nodes in which nothing happens."""
STRINGS = words(
    """
    ansi_c_string concatenated_string encapsed_string heredoc heredoc_body interpolated_string_expression
    interpreted_string_literal multiline_string_literal nowdoc raw_string raw_string_literal string string_array
    string_literal subshell template_string verbatim_string_literal
    """
)
NOISE = words(
    """
    DWORD Err False HANDLE Integer Integer.parseInt None Number Ok Pid Process ProcessHandle Signal Some String True
    Unix all and any as assert await bool cmd_line const ctypes else errno exec expect f false filter fmt for format
    i32 if in int is isize join kernel32 lambda len let libc list long map new nil nix not null of or orElse os
    parseInt path pid_t posix psutil range rc rustix self signal sprintf std str string subprocess sys syscall t
    crate format_ mut this time to_i to_s true u32 uint undefined unix unsafe usize var win32api win32job win32process
    """
)
"""Words of libraries and keywords, which no process is called by."""
